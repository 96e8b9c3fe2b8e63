import type { ErrorCodeEntry } from './error-code-entry.ts';

/** The part of the table that concerns `tsbk daemon`. */
export const DAEMON_ERROR_CODES = {
  'daemon-socket': {
    exit: 'failure',
    retry: false,
    doc: 'The socket of `tsbk daemon` cannot be made: its path is too long, or its directory is not there or not safe from other users.',
  },
  'daemon-running': {
    exit: 'failure',
    retry: false,
    doc: 'Another daemon answers on this socket. Stop it first, or give this one a socket of its own.',
  },
  'daemon-busy': {
    exit: 'temporary',
    retry: true,
    doc: 'The daemon is stopping, or has too much to do. The commands work alone then; who asked by `curl` asks again.',
  },
} as const satisfies Record<string, ErrorCodeEntry>;
