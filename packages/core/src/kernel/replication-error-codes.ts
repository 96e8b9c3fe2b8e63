import type { ErrorCodeEntry } from './error-code-entry.ts';

/** What can go wrong while WAL is streamed; part of `ERROR_CODES`. */
export const REPLICATION_ERROR_CODES = {
  'slot-missing': {
    exit: 'failure',
    retry: false,
    doc: 'The server has no replication slot of this name. Without one it may remove WAL that was not received yet.',
  },
  'slot-lost': {
    exit: 'failure',
    retry: false,
    doc: 'The server has invalidated the replication slot (max_slot_wal_keep_size, idle_replication_slot_timeout), and may have removed the WAL that it held.',
  },
  'slot-in-use': {
    exit: 'temporary',
    retry: true,
    doc: 'Another connection streams from the replication slot; after a connection broke off, it may still be our own.',
  },
  'receive-lag': {
    exit: 'failure',
    retry: true,
    doc: 'The server keeps more WAL for the receiver than TSBK_RECEIVE_LAG_MAX allows, because the store has not taken it.',
  },
  'wal-removed': {
    exit: 'failure',
    retry: false,
    doc: 'The server has already removed WAL that was asked of it.',
  },
} as const satisfies Record<string, ErrorCodeEntry>;
