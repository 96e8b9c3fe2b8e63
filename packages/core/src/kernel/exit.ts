import { ERROR_CODES } from './error-codes.ts';
import { isTsbkError } from './errors.ts';

/**
 * Exit codes are answers. `archive_command` must stay within 1…125: above that, PostgreSQL's
 * archiver process dies and `pg_stat_archiver.failed_count` does not move.
 */
export const EXIT = {
  ok: 0,
  failure: 1,
  usage: 2,
  conflict: 65,
  internal: 70,
  temporary: 75,
} as const;

/** Exit code of every command but `archive-get`, which has answers of its own. */
export function exitCodeOf(error: unknown): number {
  if (!isTsbkError(error)) return EXIT.internal;
  return EXIT[ERROR_CODES[error.code].exit];
}
