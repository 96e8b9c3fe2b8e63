import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { TsbkError } from '../kernel/errors.ts';
import type { BlobStore } from '../ports/blob-store.ts';
import type { Report } from '../ports/report.ts';
import type { LoadedSettings } from '../settings/load.ts';
import { parseFailpoint, withFailpoint } from '../storage/failpoints.ts';
import { retrying } from '../storage/retrying.ts';
import { throttled } from '../storage/throttled.ts';
import { turnstile, type RateLimit } from '../stream/turnstile.ts';
import { systemClock } from './clock.ts';
import { rateLimits, type RateLimits } from './rate-limits.ts';

const RETRY_FIRST_MS = 100;
const RETRY_CAP_MS = 20_000;

export interface OpenStoreOptions {
  readonly report: Report;
  /** How long one request is tried again; the setting of that name if absent. */
  readonly retryBudgetMs?: number;
  /** Shared by all stores of a run that work at the same time; its own if absent. */
  readonly limits?: RateLimits;
  /** Counts for `TSBK_FAILPOINT` over all of them. */
  readonly failpointCalls?: SharedArrayBuffer;
}

/**
 * The store that the settings name, with retries around it. Store adapters load here and nowhere
 * else, and only the one that is needed. Throws `setting-missing` without a prefix.
 */
export async function openStore(
  settings: LoadedSettings,
  options: OpenStoreOptions,
): Promise<BlobStore> {
  const { config } = settings;
  const { network } = options.limits ?? rateLimits(config);
  const calls = new Int32Array(options.failpointCalls ?? new SharedArrayBuffer(4));
  const store = withLimit(withFault(await bareStore(settings), config.failpoint, calls), network);
  return retrying(store, {
    attempts: config.s3MaxRetries + 1,
    budgetMs: options.retryBudgetMs ?? config.retryBudgetMs,
    baseMs: RETRY_FIRST_MS,
    capMs: RETRY_CAP_MS,
    clock: systemClock,
    random: Math.random,
    report: options.report,
  });
}

function withLimit(store: BlobStore, limit: RateLimit | undefined): BlobStore {
  return limit === undefined ? store : throttled(store, turnstile(limit, systemClock));
}

/** For tests of what a crash leaves behind; see `storage/failpoints.ts`. */
function withFault(
  store: BlobStore,
  failpoint: string | undefined,
  calls: Int32Array<SharedArrayBuffer>,
): BlobStore {
  if (failpoint === undefined) return store;
  return withFailpoint(store, parseFailpoint(failpoint), {
    signal: (name) => process.kill(process.pid, name),
    exit: (code) => process.exit(code),
    calls,
  });
}

async function bareStore(settings: LoadedSettings): Promise<BlobStore> {
  const { config } = settings;
  if (config.filePrefix !== undefined) {
    const { openFileStore } = await import('../storage/file/open.ts');
    const root = await fileRoot(config.filePrefix, config.storagePrefix);
    return openFileStore({ root }, { clock: systemClock });
  }
  if (config.s3Prefix !== undefined) {
    const { openS3Store } = await import('../storage/s3/open.ts');
    return await openS3Store(s3Options(settings, config.s3Prefix), { clock: systemClock });
  }
  throw new TsbkError('setting-missing', 'it is not set where the repository is', {
    hint: 'Set WALG_FILE_PREFIX=/var/backups/main for a directory or WALG_S3_PREFIX=s3://bucket/main for S3.',
  });
}

/** The directory must exist, so that a mistyped or unmounted one is noticed; folders in it need not. */
async function fileRoot(prefix: string, folder: string | undefined): Promise<string> {
  if (folder === undefined) return prefix;
  const base = await stat(prefix).catch(() => undefined);
  const root = join(prefix, folder);
  if (base?.isDirectory() === true) await mkdir(root, { recursive: true, mode: 0o700 });
  return root;
}

function s3Options({ config, passedOn }: LoadedSettings, url: string) {
  // With a web identity the SDK's own chain assumes the role; doing it again would fail.
  const webIdentity = passedOn.some(({ name }) => name === 'AWS_WEB_IDENTITY_TOKEN_FILE');
  const asksSdk = passedOn.some(({ name }) => name === 'AWS_USE_FIPS_ENDPOINT');
  const [, bucket = '', folder = ''] = /^[^:]+:\/\/([^/]+)\/?(.*)$/.exec(url) ?? [];
  const prefix = [folder, config.storagePrefix ?? ''].filter((part) => part !== '').join('/');
  return {
    bucket,
    prefix,
    endpoint: config.s3Endpoint,
    region: config.s3Region,
    asksSdk,
    forcePathStyle: config.s3ForcePathStyle,
    dualStack: config.s3DualStack,
    accessKeyId: config.s3AccessKeyId?.reveal(),
    secretAccessKey: config.s3SecretAccessKey?.reveal(),
    sessionToken: config.s3SessionToken?.reveal(),
    profile: config.s3Profile,
    configFile: config.s3ConfigFile,
    sharedCredentialsFile: config.s3CredentialsFile,
    roleArn: webIdentity ? undefined : config.s3RoleArn,
    roleSessionName: config.s3RoleSessionName,
    storageClass: config.s3StorageClass,
    sse: config.s3Sse,
    sseKmsId: config.s3SseKmsKeyId,
    sseCustomerKey: config.s3SseCustomerKey?.reveal(),
    caCertFile: config.s3CaFile,
    additionalHeaders: config.s3AdditionalHeaders?.reveal(),
    conditionalWrites: config.s3ConditionalWrites,
    useListObjectsV1: config.s3ListV1,
    retentionPeriodS: config.s3RetentionSeconds,
    retentionMode: config.s3RetentionMode,
    requestTimeoutMs: config.requestTimeoutMs,
  };
}
