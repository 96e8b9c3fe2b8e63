import { cipherFrom, type CipherMaterial } from '../cipher/cipher-from.ts';
import { codecByExtension, codecByName, EXTENSIONS } from '../codec/codecs.ts';
import type { Repository } from '../repository/repository.ts';
import type { LoadedSettings } from '../settings/load.ts';
import type { Config } from '../settings/table.ts';
import { systemClock } from './clock.ts';
import { loadCipherMaterial } from './load-cipher-material.ts';
import { openStore, type OpenStoreOptions } from './open-store.ts';
import { rateLimits, type RateLimits } from './rate-limits.ts';

export interface OpenRepositoryOptions extends OpenStoreOptions {
  readonly signal: AbortSignal;
  /** The keys, where they are known already (a worker thread); from the settings if absent. */
  readonly cipherMaterial?: CipherMaterial;
}

/** A repository that frees its connections when it is disposed of. */
export interface OpenedRepository extends Repository, AsyncDisposable {
  /** What worker threads build the same cipher from. It holds the keys. */
  readonly cipherMaterial: CipherMaterial;
  /** What worker threads share with this one. */
  readonly limits: RateLimits;
  readonly failpointCalls: SharedArrayBuffer;
}

/**
 * Builds the repository that the settings describe: the store with its retries, the codec, the
 * cipher. Reads key and certificate files, runs a key command, connects to nothing. Throws
 * `setting-missing`, `unsupported-setting`, `usage`.
 */
export async function openRepository(
  settings: LoadedSettings,
  options: OpenRepositoryOptions,
): Promise<OpenedRepository> {
  const { config } = settings;
  const limits = options.limits ?? rateLimits(config);
  const failpointCalls = options.failpointCalls ?? new SharedArrayBuffer(4);
  const store = await openStore(settings, { ...options, limits, failpointCalls });
  const cipherMaterial = options.cipherMaterial ?? (await loadCipherMaterial(config, options));
  const writeCodec = codecByName(config.compressionMethod, { zstdLevel: config.zstdLevel });
  const others = EXTENSIONS.filter((extension) => extension !== writeCodec.extension);
  return {
    store,
    cipher: await cipherFrom(cipherMaterial),
    cipherMaterial,
    limits,
    failpointCalls,
    writeCodec,
    codecOf: (extension) =>
      extension === writeCodec.extension ? writeCodec : codecByExtension(extension),
    walExtensions: [writeCodec.extension, ...others],
    clock: systemClock,
    ...transferMemory(config),
    [Symbol.asyncDispose]: () => store.close(),
  };
}

/**
 * How objects are cut for uploading: memory is lanes × (parts in flight + 1) × part size. Requests
 * are shared by the lanes; to a directory a part is a write, which gains nothing from being large,
 * and a file is read as it is.
 */
function transferMemory(
  config: Config,
): Pick<Repository, 'partBytes' | 'partsInFlight' | 'ranges'> {
  if (config.filePrefix !== undefined) return { partBytes: FILE_PART_BYTES, partsInFlight: 2 };
  const shared = Math.floor(config.uploadConcurrency / Math.max(1, config.lanes));
  return {
    partBytes: config.s3PartBytes,
    partsInFlight: Math.max(1, Math.min(3, shared)),
    ranges: { rangeBytes: RANGE_BYTES, rangesInFlight: 3 },
  };
}

const FILE_PART_BYTES = 1024 * 1024;
/** Large enough that a request's round trip weighs little, small enough to have four of them. */
const RANGE_BYTES = 2 * 1024 * 1024;
