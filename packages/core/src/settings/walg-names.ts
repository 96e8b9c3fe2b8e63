const ENCRYPTION =
  'tsbk encrypts with libsodium, or with the OpenPGP key in WALG_PGP_KEY or WALG_PGP_KEY_PATH; without this the data would lie there in the clear';
const ONE_STORE = 'tsbk works with one repository at a time';

interface UnsupportedName {
  readonly reason: string;
  /** A value with which the setting asks for nothing. */
  readonly harmless?: RegExp;
}

/** WAL-G settings that cannot be ignored: going on as if they were not there would be wrong. */
export const UNSUPPORTED_NAMES: ReadonlyMap<string, UnsupportedName> = mapOf({
  GPG_KEY_ID: { reason: ENCRYPTION },
  WALG_GPG_KEY_ID: { reason: ENCRYPTION },
  WALE_GPG_KEY_ID: { reason: ENCRYPTION },
  WALG_ENVELOPE_PGP_KEY: { reason: ENCRYPTION },
  WALG_ENVELOPE_PGP_KEY_PATH: { reason: ENCRYPTION },
  WALG_ENVELOPE_PGP_YC_CSE_KMS_KEY_ID: { reason: ENCRYPTION },
  WALG_ENVELOPE_PGP_YC_SERVICE_ACCOUNT_KEY_FILE: { reason: ENCRYPTION },
  WALG_ENVELOPE_PGP_YC_ENDPOINT: { reason: ENCRYPTION },
  WALG_CSE_KMS_ID: { reason: ENCRYPTION },
  YC_CSE_KMS_KEY_ID: { reason: ENCRYPTION },
  WALG_FAILOVER_STORAGES: { reason: ONE_STORE },
  WALG_TARGET_STORAGE: { reason: ONE_STORE, harmless: /^default$/ },
  ...everySpelling('S3_USE_YC_SESSION_TOKEN', {
    reason: 'tsbk cannot take its credentials from the Yandex Cloud metadata service',
    harmless: /^(?:0|f|false)$/i,
  }),
});

/** Prefixes of stores tsbk has no adapter for, in the order in which WAL-G looks at them. */
export const FOREIGN_PREFIXES = ['OSS', 'GS', 'AZ', 'SWIFT', 'SSH'] as const;

const SPEED = 'it tunes how WAL-G works inside';
const STORES = 'it belongs to a store that tsbk has no adapter for';
const SUMMARIES = 'TSBK_DELTA_SOURCE decides how a delta finds what changed';
const FAILOVER = 'there are no failover storages';
const ALWAYS = 'tsbk always writes what a restore can use';

/** WAL-G settings without which the result is right all the same, and why. */
export const IGNORED_NAMES: ReadonlyMap<string, string> = mapOf({
  WALG_ALIVE_CHECK_INTERVAL: 'a session that is gone is noticed by itself',
  WALG_DOWNLOAD_FILE_RETRIES: 'TSBK_RETRY_BUDGET decides how long is tried',
  WALG_UPLOAD_QUEUE: SPEED,
  WALG_DIRECT_IO: SPEED,
  WALG_DIRECT_IO_BLOCK_COUNT: SPEED,
  WALG_SERIALIZER_TYPE: SPEED,
  WALG_USE_REVERSE_UNPACK: SPEED,
  WALG_SKIP_REDUNDANT_TARS: SPEED,
  WALG_USE_RATING_COMPOSER: SPEED,
  WALG_USE_COPY_COMPOSER: SPEED,
  WALG_USE_DATABASE_COMPOSER: SPEED,
  WALG_PREFETCH_DIR: SPEED,
  WALG_DAEMON_WAL_UPLOAD_TIMEOUT: 'TSBK_PUSH_TIMEOUT decides how long is tried',
  WALG_USE_WAL_DELTA: SUMMARIES,
  WALG_FORCE_WAL_DELTA: SUMMARIES,
  WALG_UPLOAD_WAL_METADATA: 'no command of tsbk needs it',
  WALG_FETCH_TARGET_USER_DATA: 'backups are chosen by name',
  WALG_STORE_ALL_CORRUPT_BLOCKS: 'a backup with corrupt pages is not completed',
  WALG_WITHOUT_FILES_METADATA: ALWAYS,
  WALG_PG_WAL_PAGE_SIZE: 'the WAL file itself tells it',
  WALG_PG_BLOCK_SIZE: 'the server tells it',
  PG_READY_RENAME: 'PostgreSQL marks what is archived',
  WALG_LOG_DESTINATION: 'logs go to stderr',
  WALG_STATSD_ADDRESS: 'metrics are not sent',
  WALG_STATSD_EXTRA_TAGS: 'metrics are not sent',
  WALG_STREAM_CREATE_COMMAND: 'it is not for PostgreSQL',
  WALG_STREAM_RESTORE_COMMAND: 'it is not for PostgreSQL',
  WALG_STREAM_SPLITTER_PARTITIONS: 'it is not for PostgreSQL',
  WALG_STREAM_SPLITTER_BLOCK_SIZE: 'it is not for PostgreSQL',
  WALG_STREAM_SPLITTER_MAX_FILE_SIZE: 'it is not for PostgreSQL',
  WALG_ENVELOPE_CACHE_EXPIRATION: 'there is no envelope encryption',
  WALG_CSE_KMS_REGION: 'there is no client-side encryption by KMS',
  YC_SERVICE_ACCOUNT_KEY_FILE: 'there is no client-side encryption by KMS',
  WALG_FAILOVER_STORAGES_CHECK: FAILOVER,
  WALG_FAILOVER_STORAGES_CHECK_TIMEOUT: FAILOVER,
  WALG_FAILOVER_STORAGES_CHECK_SIZE: FAILOVER,
  WALG_FAILOVER_STORAGES_CACHE_LIFETIME: FAILOVER,
  WALG_FAILOVER_STORAGES_CACHE_EMA_ALIVE_LIMIT: FAILOVER,
  WALG_FAILOVER_STORAGES_CACHE_EMA_DEAD_LIMIT: FAILOVER,
  WALG_FAILOVER_STORAGES_CACHE_EMA_ALPHA_ALIVE_MAX: FAILOVER,
  WALG_FAILOVER_STORAGES_CACHE_EMA_ALPHA_ALIVE_MIN: FAILOVER,
  WALG_FAILOVER_STORAGES_CACHE_EMA_ALPHA_DEAD_MAX: FAILOVER,
  WALG_FAILOVER_STORAGES_CACHE_EMA_ALPHA_DEAD_MIN: FAILOVER,
  ...everySpelling('S3_MIN_THROTTLING_RETRY_DELAY', SPEED),
  ...everySpelling('S3_MAX_THROTTLING_RETRY_DELAY', SPEED),
  ...everySpelling('S3_RANGE_BATCH_ENABLED', 'downloads are always resumed'),
  ...everySpelling('S3_RANGE_MAX_RETRIES', 'TSBK_RETRY_BUDGET decides how long is tried'),
  ...everySpelling('S3_ENDPOINT_SOURCE', 'the endpoint itself is used'),
  ...everySpelling('S3_ENDPOINT_PORT', 'the endpoint itself is used'),
  ...everySpelling('S3_ENDPOINT_PROTOCOL', 'the endpoint itself is used'),
  ...everySpelling('S3_ENABLE_VERSIONING', 'no command of tsbk needs it'),
  ...everySpelling('S3_DELETE_BATCH_SIZE', SPEED),
  ...everySpelling('S3_DISABLE_100_CONTINUE', SPEED),
  ...everySpelling('S3_SKIP_VALIDATION', 'the first request validates'),
  ...everySpelling('S3_LOG_LEVEL', 'TSBK_LOG_LEVEL decides'),
  WALG_AZURE_BUFFER_SIZE: STORES,
  WALG_AZURE_MAX_BUFFERS: STORES,
  PROFILE_SAMPLING_RATIO: SPEED,
  PROFILE_MODE: SPEED,
  PROFILE_PATH: SPEED,
  HTTP_LISTEN: 'there is no debug server',
  HTTP_EXPOSE_PPROF: 'there is no debug server',
  HTTP_EXPOSE_EXPVAR: 'there is no debug server',
  GOMAXPROCS: SPEED,
  GODEBUG: SPEED,
  PGBACKREST_STANZA: 'pgBackRest repositories are not read',
});

/** Names that only the adapters of other stores know. In the environment they may be anybody's. */
export function belongsToForeignStore(name: string): boolean {
  return /^(?:GOOGLE|GCS|AZURE|SSH|OS|OSS|YC)_/.test(name);
}

/** Names with our prefix that are no settings: the launcher's, and the test suite's. */
export function isReservedName(name: string): boolean {
  const ofLaunchers = ['TSBK_NODE', 'TSBK_IGNORED_SIGNALS', 'TSBK_ASKED_AS', 'TSBK_FETCH_AHEAD'];
  return ofLaunchers.includes(name) || name.startsWith('TSBK_TEST_');
}

function everySpelling<T>(name: string, value: T): Readonly<Record<string, T>> {
  return { [name]: value, [`WALG_${name}`]: value, [`WALE_${name}`]: value };
}

/** A map and not an object, because the names looked up are anybody's: `constructor`, too. */
function mapOf<T>(entries: Readonly<Record<string, T>>): ReadonlyMap<string, T> {
  return new Map(Object.entries(entries));
}
