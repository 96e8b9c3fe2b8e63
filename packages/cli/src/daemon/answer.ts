import { describeError } from '@tsbk/core/engine/describe-error';
import { ERROR_CODES } from '@tsbk/core/kernel/error-codes';
import { isTsbkError } from '@tsbk/core/kernel/errors';
import { EXIT, exitCodeOf } from '@tsbk/core/kernel/exit';

/** What a client is told, before it becomes HTTP. */
export interface Answer {
  readonly status: number;
  /** The exit code of the command that would have done the same. Without it nothing was decided. */
  readonly exitCode?: number;
  readonly lines: readonly string[];
}

/**
 * 404 is the one status that lets a recovery end, so nothing but proven absence of a WAL file has it:
 * neither a wrong path in the URL nor a bucket that is gone.
 */
const STATUS = {
  usage: 400,
  conflict: 409,
  failure: 422,
  temporary: 503,
} as const;

/** Done. */
export function done(lines: readonly string[] = []): Answer {
  return { status: 200, exitCode: EXIT.ok, lines };
}

/** The request itself cannot be served, whatever the archive holds. */
export function refusal(status: 400 | 405 | 413 | 421, line: string): Answer {
  return { status, lines: [line] };
}

/** What an error is for a client. One that says nothing of the archive decides nothing. */
export function failure(error: unknown): Answer {
  const lines = describeError(error);
  if (!isTsbkError(error)) return { status: 500, lines };
  const status = STATUS[ERROR_CODES[error.code].exit];
  const isDecided = error.code !== 'daemon-busy' && error.code !== 'interrupted';
  return isDecided ? { status, exitCode: exitCodeOf(error), lines } : { status, lines };
}
