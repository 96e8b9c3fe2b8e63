import { boolean, durationOrNoLimit, duration, integer, size } from './kinds.ts';
import { bucketPrefix, directoryPrefix, subPath } from './location-kinds.ts';
import { CONFIGURED_COMMANDS, setting } from './setting.ts';

/** Where the repository is, and how patient tsbk is with it. */
export const STORAGE_SETTINGS = {
  filePrefix: setting({
    env: ['TSBK_FILE_PREFIX', 'WALG_FILE_PREFIX', 'WALE_FILE_PREFIX'],
    kind: directoryPrefix,
    commands: CONFIGURED_COMMANDS,
    doc: 'Directory of the repository. It must exist.',
  }),
  s3Prefix: setting({
    env: ['TSBK_S3_PREFIX', 'WALG_S3_PREFIX', 'WALE_S3_PREFIX'],
    kind: bucketPrefix,
    commands: CONFIGURED_COMMANDS,
    doc: 'Bucket and folder of the repository, `s3://bucket/folder`. The bucket must exist.',
  }),
  storagePrefix: setting({
    env: ['TSBK_STORAGE_PREFIX', 'WALG_STORAGE_PREFIX'],
    kind: subPath,
    commands: CONFIGURED_COMMANDS,
    doc: 'Further folder below the prefix, for example one for each cluster.',
  }),
  uploadConcurrency: setting({
    env: ['TSBK_UPLOAD_CONCURRENCY', 'WALG_UPLOAD_CONCURRENCY'],
    kind: integer(1, 1000),
    default: 16,
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
    doc: 'Upload requests under way at the same time, over all lanes together.',
  }),
  downloadConcurrency: setting({
    env: ['TSBK_DOWNLOAD_CONCURRENCY', 'WALG_DOWNLOAD_CONCURRENCY'],
    kind: integer(1, 1000),
    default: 10,
    commands: ['backup-fetch', 'extract', 'archive-get', 'check'],
    doc: 'Objects downloaded at the same time.',
  }),
  networkRateBytes: setting({
    env: ['TSBK_NETWORK_RATE_LIMIT', 'WALG_NETWORK_RATE_LIMIT'],
    kind: size(1),
    commands: ['backup-push', 'backup-fetch', 'backup-merge', 'extract', 'st'],
    doc: 'Bytes a second to or from the object store, over all lanes together. Unset: no limit.',
  }),
  requestTimeoutMs: setting({
    env: ['TSBK_REQUEST_TIMEOUT'],
    kind: duration(1000),
    default: 30_000,
    commands: CONFIGURED_COMMANDS,
    doc: 'A request to the object store that makes no progress for this long has failed.',
  }),
  retryBudgetMs: setting({
    env: ['TSBK_RETRY_BUDGET'],
    kind: durationOrNoLimit(0),
    default: 120_000,
    commands: [
      'backup-push',
      'backup-fetch',
      'backup-merge',
      'backup-list',
      'backup-show',
      'extract',
      'wal-show',
      'wal-verify',
      'check',
      'st',
    ],
    doc: 'How long one request to the object store is tried again before its error counts.',
  }),
  turbo: setting({
    env: ['TSBK_TURBO'],
    kind: boolean,
    default: false,
    commands: ['backup-push', 'backup-fetch', 'backup-merge', 'extract', 'st'],
    doc: 'Leave the rate limits of the configuration aside for this run.',
  }),
};
