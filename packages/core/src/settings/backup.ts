import { compressionMethod, zstdLevel } from './compression-kinds.ts';
import { json } from './json-kind.ts';
import { absolutePath, boolean, durationOrNoLimit, integer, size } from './kinds.ts';
import { setting, type Machine } from './setting.ts';

const MIB = 1024 ** 2;

/** How objects are made. */
export const BACKUP_SETTINGS = {
  compressionMethod: setting({
    env: ['TSBK_COMPRESSION_METHOD', 'WALG_COMPRESSION_METHOD'],
    kind: compressionMethod,
    default: 'lz4',
    commands: [
      'backup-push',
      'backup-merge',
      'archive-push',
      'wal-receive',
      'daemon',
      'wal-verify',
      'check',
      'st',
    ],
    doc: 'Compression of new objects. What is there is read whatever its format.',
  }),
  zstdLevel: setting({
    env: ['TSBK_ZSTD_LEVEL', 'WALG_ZSTD_LEVEL'],
    kind: zstdLevel,
    default: 3,
    commands: [
      'backup-push',
      'backup-merge',
      'archive-push',
      'wal-receive',
      'daemon',
      'wal-verify',
      'check',
      'st',
    ],
    doc: 'Effort of `zstd`: higher is smaller and slower.',
  }),
  lanes: setting({
    env: ['TSBK_LANES', 'WALG_UPLOAD_DISK_CONCURRENCY'],
    kind: integer(0, 128),
    default: ({ cores }: Machine) => Math.min(4, Math.max(1, cores)),
    defaultText: 'number of processors, 4 at most',
    commands: ['backup-push', 'backup-fetch', 'backup-merge', 'extract'],
    doc: 'Threads that make the parts of a backup, each one at a time: compress, encrypt, upload. 0: no threads, for the smallest machines.',
  }),
  tarBytes: setting({
    env: ['TSBK_TAR_SIZE_THRESHOLD', 'WALG_TAR_SIZE_THRESHOLD'],
    kind: size(MIB, 1024 * 1024 * MIB),
    default: 1024 * MIB - 1,
    commands: ['backup-push', 'backup-merge'],
    doc: 'A part of the backup is closed when its files together reach this size.',
  }),
  scratchDirectory: setting({
    env: ['TSBK_SCRATCH_DIRECTORY'],
    kind: absolutePath,
    defaultText: '`TMPDIR`, else `/tmp`',
    commands: ['backup-push', 'backup-merge', 'wal-receive', 'extract'],
    doc: 'Where the list of a very large number of files is kept while they are backed up, some ten bytes each; what changed of one file of a delta by `stream`, beyond 4 MiB; all pages that changed since a full backup while a chain is merged, beyond 32 MiB; segments of more than 16 MiB while they are received; and the throwaway cluster of `extract`.',
  }),
  diskRateBytes: setting({
    env: ['TSBK_DISK_RATE_LIMIT', 'WALG_DISK_RATE_LIMIT'],
    kind: size(32 * 1024),
    commands: ['backup-push'],
    doc: 'Bytes a second that are read from the data directory for a backup, by PostgreSQL or tsbk. Unset: no limit.',
  }),
  verifyChecksums: setting({
    env: ['TSBK_VERIFY_PAGE_CHECKSUMS', 'WALG_VERIFY_PAGE_CHECKSUMS'],
    kind: boolean,
    default: true,
    commands: ['backup-push'],
    doc: 'Verify page checksums while the files are read; a wrong one fails the backup.',
  }),
  disablePartialRestore: setting({
    env: ['TSBK_DISABLE_PARTIAL_RESTORE', 'WALG_DISABLE_PARTIAL_RESTORE'],
    kind: boolean,
    default: false,
    commands: ['backup-push'],
    doc: 'Do not ask each database for the names of its tables. `--restore-only` and `extract` of single tables need them.',
  }),
  sentinelUserData: setting({
    env: ['TSBK_SENTINEL_USER_DATA', 'WALG_SENTINEL_USER_DATA'],
    kind: json,
    commands: ['backup-push'],
    doc: 'JSON to keep with the backup.',
  }),
  walTimeoutMs: setting({
    env: ['TSBK_WAL_TIMEOUT', 'WALG_STOP_BACKUP_TIMEOUT'],
    kind: durationOrNoLimit(1000),
    default: 3_600_000,
    commands: ['backup-push'],
    doc: 'How long backup-push waits for its WAL to arrive in the archive before it gives up.',
  }),
};
