import { DAEMON_ERROR_CODES } from './daemon-error-codes.ts';
import type { ErrorCodeEntry } from './error-code-entry.ts';
import { EXTRACT_ERROR_CODES } from './extract-error-codes.ts';
import { REPLICATION_ERROR_CODES } from './replication-error-codes.ts';
import { STORE_ERROR_CODES } from './store-error-codes.ts';

/**
 * The closed table of what can go wrong. `exit` says which answer a command gives (see
 * `kernel/exit.ts`); `retry` whether trying the same thing again can help without anybody
 * changing anything; `doc` becomes `docs/errors.md`.
 */
export const ERROR_CODES = {
  usage: {
    exit: 'usage',
    retry: false,
    doc: 'The command line or a setting cannot be understood. Nothing was done.',
  },
  'setting-missing': {
    exit: 'usage',
    retry: false,
    doc: 'A setting this command needs is not set. The message names it and shows an example.',
  },
  'unsupported-setting': {
    exit: 'usage',
    retry: false,
    doc: 'A setting asks for something tsbk does not do (yet); going on without it would be wrong, for example unencrypted where encryption was asked.',
  },
  ...STORE_ERROR_CODES,
  'wrong-key': {
    exit: 'failure',
    retry: false,
    doc: 'The object was encrypted with another key than the configured one, or is not encrypted at all.',
  },
  'key-missing': {
    exit: 'failure',
    retry: false,
    doc: 'Reading needs the private key (or its passphrase), and only the public one is configured here. Nothing was downloaded.',
  },
  'record-invalid': {
    exit: 'failure',
    retry: false,
    doc: 'A JSON record of the repository (sentinel, metadata) cannot be read.',
  },
  'wal-conflict': {
    exit: 'conflict',
    retry: false,
    doc: 'The archive already holds a WAL file of this name with other content. Nothing that was there was changed. Usually two servers share one prefix: give each cluster its own.',
  },
  'wrong-system-id': {
    exit: 'failure',
    retry: false,
    doc: 'The WAL file or server belongs to another cluster than the repository.',
  },
  'wal-invalid': {
    exit: 'failure',
    retry: false,
    doc: 'A WAL file has the wrong size or a page header that PostgreSQL would refuse.',
  },
  'control-file-invalid': {
    exit: 'failure',
    retry: true,
    doc: '`pg_control` has the wrong checksum or is of a version tsbk does not know. It was torn while the server wrote it, or is damaged.',
  },
  'wal-file-unreadable': {
    exit: 'failure',
    retry: false,
    doc: 'The WAL file that PostgreSQL asked to archive cannot be read.',
  },
  'file-unreadable': {
    exit: 'failure',
    retry: false,
    doc: 'A file or directory of the data directory cannot be read. The backup was not completed. Run tsbk as the user that PostgreSQL runs as.',
  },
  'wal-missing': {
    exit: 'failure',
    retry: false,
    doc: 'WAL that a backup or a restore target needs is not in the archive.',
  },
  'wal-hole': {
    exit: 'temporary',
    retry: true,
    doc: 'Recovery asked for a segment that is not in the archive, although later ones of its timeline are. PostgreSQL would take "not there" for the end of the WAL. It may be on its way; if it does not come, `tsbk wal-verify --heal` stores it from a server that still has it (docs/gaps.md).',
  },
  'wal-wait-timeout': {
    exit: 'temporary',
    retry: false,
    doc: 'The WAL of the backup did not arrive in the archive in time, so the backup was not completed and what was stored of it was removed. Check the archiver (`pg_stat_archiver`); `TSBK_WAL_TIMEOUT` sets the time.',
  },
  'bad-wal-name': {
    exit: 'failure',
    retry: false,
    doc: 'The name is none that PostgreSQL archives (segment, .partial, .history, .backup).',
  },
  'backup-missing': {
    exit: 'failure',
    retry: false,
    doc: 'No backup of that name, or none that fits the request. `tsbk backup-list` shows what there is.',
  },
  'backup-incomplete': {
    exit: 'failure',
    retry: false,
    doc: 'Objects that the backup needs are missing from the repository.',
  },
  'backup-exists': {
    exit: 'failure',
    retry: false,
    doc: 'A backup with the name this one would get exists, and a fresh name could not be had.',
  },
  'backup-unsupported': {
    exit: 'failure',
    retry: false,
    doc: 'The backup is of a kind this version of tsbk cannot restore.',
  },
  'delta-refused': {
    exit: 'failure',
    retry: false,
    doc: 'A delta is due and cannot be taken, or not as TSBK_DELTA_SOURCE says; the message says why. With TSBK_DELTA_FALLBACK=full a full backup is taken instead.',
  },
  'parent-refused': {
    exit: 'failure',
    retry: false,
    doc: 'A delta is due, and the server refuses the backup that it would build on: it is of another cluster or history, ahead of the server, or its manifest is not what PostgreSQL wrote. No delta by another source is taken on it either. With TSBK_DELTA_FALLBACK=full a full backup is taken instead.',
  },
  'nothing-to-merge': {
    exit: 'failure',
    retry: false,
    doc: 'The backup that was to be merged builds on no other: it is a full one already. Nothing was done.',
  },
  'target-unreachable': {
    exit: 'failure',
    retry: false,
    doc: 'The recovery target cannot be reached from what is in the repository. Nothing was written.',
  },
  'target-not-empty': {
    exit: 'failure',
    retry: false,
    doc: 'The directory to restore into (or a tablespace location) is not empty, or in use. With `--delta`: it is no data directory that may be brought to the backup; the message says why. Nothing was changed.',
  },
  'disk-full': {
    exit: 'failure',
    retry: false,
    doc: 'Not enough free space on the file system to restore into.',
  },
  'scratch-failed': {
    exit: 'temporary',
    retry: false,
    doc: 'A temporary file could not be made, written or read. Free some space, or name another directory with TSBK_SCRATCH_DIRECTORY.',
  },
  'restore-failed': {
    exit: 'failure',
    retry: false,
    doc: 'A file could not be written while restoring. The directory holds no pg_control and cannot be started by mistake.',
  },
  'unsafe-name': {
    exit: 'failure',
    retry: false,
    doc: 'A name in an archive would lead outside the target directory. Nothing of it was written.',
  },
  'tar-invalid': {
    exit: 'failure',
    retry: false,
    doc: 'A tar archive is damaged or uses something no PostgreSQL backup contains.',
  },
  'server-unreachable': {
    exit: 'temporary',
    retry: true,
    doc: 'PostgreSQL does not answer at the given host and port.',
  },
  'server-denied': {
    exit: 'failure',
    retry: false,
    doc: 'PostgreSQL refused the connection or the command: password, pg_hba.conf or a missing privilege. The message quotes it; `tsbk check` shows the GRANT.',
  },
  'server-error': {
    exit: 'failure',
    retry: false,
    doc: 'PostgreSQL answered with an error; the message quotes it.',
  },
  'server-unsupported': {
    exit: 'failure',
    retry: false,
    doc: 'The server is older than PostgreSQL 13.',
  },
  'server-tls': {
    exit: 'failure',
    retry: false,
    doc: 'TLS to PostgreSQL was asked for and cannot be had, or the certificate does not fit.',
  },
  'connection-lost': {
    exit: 'temporary',
    retry: true,
    doc: 'The connection to PostgreSQL ended in the middle of the work. The backup was not completed.',
  },
  'protocol-violation': {
    exit: 'failure',
    retry: false,
    doc: 'The server sent what the replication protocol does not allow.',
  },
  'page-checksum': {
    exit: 'failure',
    retry: false,
    doc: 'Pages with wrong checksums were found while the backup ran. The backup was not completed; the pages are named above.',
  },
  'server-changed': {
    exit: 'temporary',
    retry: false,
    doc: 'Something was changed on the server at the very moment at which the backup started. Take it again.',
  },
  'server-promoted': {
    exit: 'failure',
    retry: false,
    doc: 'The standby was promoted while the backup ran. Take a new one.',
  },
  ...REPLICATION_ERROR_CODES,
  'lane-lost': {
    exit: 'failure',
    retry: false,
    doc: 'A worker thread of tsbk ended in the middle of its work, most likely because memory ran out. What it was writing is not visible; the run was given up.',
  },
  'state-directory': {
    exit: 'failure',
    retry: false,
    doc: 'The directory in which the commands of a server keep what they know between runs cannot be made, or is not safe from other users.',
  },
  ...DAEMON_ERROR_CODES,
  ...EXTRACT_ERROR_CODES,
  interrupted: {
    exit: 'temporary',
    retry: false,
    doc: 'A signal asked the command to stop. It cleaned up and stopped. Commands that people start exit with 128 and the number of the signal: 130 after SIGINT, 143 after SIGTERM.',
  },
  'check-failed': {
    exit: 'failure',
    retry: false,
    doc: '`tsbk check` found at least one thing that must be mended.',
  },
} as const satisfies Record<string, ErrorCodeEntry>;

export type ErrorCode = keyof typeof ERROR_CODES;
