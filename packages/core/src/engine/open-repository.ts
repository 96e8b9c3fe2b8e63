import { codecByExtension, codecByName, EXTENSIONS } from '../codec/codecs.ts';
import type { Report } from '../ports/report.ts';
import type { Repository } from '../repository/repository.ts';
import type { LoadedSettings } from '../settings/load.ts';
import type { Config } from '../settings/table.ts';
import { systemClock } from './clock.ts';
import { openCipher } from './open-cipher.ts';
import { openStore } from './open-store.ts';

export interface OpenRepositoryOptions {
  readonly report: Report;
  /** How long one request is tried again; the setting of that name if absent. */
  readonly retryBudgetMs?: number;
}

/** A repository that frees its connections when it is disposed of. */
export type OpenedRepository = Repository & AsyncDisposable;

/**
 * Builds the repository that the settings describe: the store with its retries, the codec, the
 * cipher. Reads key and certificate files, connects to nothing. Throws `setting-missing`,
 * `unsupported-setting`, `usage`.
 */
export async function openRepository(
  settings: LoadedSettings,
  options: OpenRepositoryOptions,
): Promise<OpenedRepository> {
  const { config } = settings;
  const store = await openStore(settings, options);
  const cipher = await openCipher(config);
  const writeCodec = codecByName(config.compressionMethod, { zstdLevel: config.zstdLevel });
  const others = EXTENSIONS.filter((extension) => extension !== writeCodec.extension);
  return {
    store,
    cipher,
    writeCodec,
    codecOf: (extension) =>
      extension === writeCodec.extension ? writeCodec : codecByExtension(extension),
    walExtensions: [writeCodec.extension, ...others],
    clock: systemClock,
    partBytes: config.s3PartBytes,
    partsInFlight: partsInFlight(config),
    [Symbol.asyncDispose]: () => store.close(),
  };
}

/** Upload requests are shared by the lanes; memory is lanes × parts in flight × part size. */
function partsInFlight({ uploadConcurrency, lanes }: Config): number {
  return Math.max(1, Math.min(4, Math.floor(uploadConcurrency / lanes)));
}
