import type { ErrorCodeEntry } from './error-code-entry.ts';

/** What can go wrong with `tsbk extract` beside what can go wrong with any restore. */
export const EXTRACT_ERROR_CODES = {
  'programs-missing': {
    exit: 'failure',
    retry: false,
    doc: "PostgreSQL's own programs, `postgres` and `pg_dump`, of the backup's major version are not on this machine, or cannot be run. Install them, or name their directory with TSBK_PG_BIN_DIRECTORY.",
  },
  'extract-failed': {
    exit: 'failure',
    retry: false,
    doc: 'The server that was started on the throwaway directory did not come up, or `pg_dump` failed. The message quotes them. Everything was removed.',
  },
  'object-unknown': {
    exit: 'failure',
    retry: false,
    doc: 'At the recovery target there was no table, schema or database of that name. Nothing was written.',
  },
} as const satisfies Record<string, ErrorCodeEntry>;
