import { isTsbkError, TsbkError } from '../kernel/errors.ts';
import type { BlobInfo } from '../ports/blob-store.ts';
import type { ByteSource } from '../ports/bytes.ts';
import type { Codec } from '../ports/codec.ts';
import { lentBody } from '../stream/release.ts';
import { pipe } from '../stream/source.ts';
import { getInRanges } from './read-ranges.ts';
import type { Repository, RunOptions } from './repository.ts';

/** An object of the repository, opened for reading. */
export interface OpenObject {
  readonly info: BlobInfo;
  readonly codec: Codec;
  /** Plain content: decrypted and decompressed. */
  readonly content: ByteSource;
  /** The bytes as they are in the store. Read this or `content`, not both. */
  readonly stored: ByteSource;
}

export type OpenObjectOptions = RunOptions & {
  /**
   * For large objects: several ranges at once where the repository says so. Chunks of `stored`, and
   * of `content` where they are the same, are lent until the next one is asked for.
   */
  readonly large?: boolean;
};

/**
 * The extension of an object below `base`: `''` for none and for the dangling dot that WAL-G 3.0.8
 * wrote for uncompressed objects.
 */
export function extensionOf(key: string, base: string): string {
  return key.slice(base.length).replace(/^\./, '');
}

/**
 * Opens `key` and says how to read it: get ▸ decrypt ▸ decompress by extension. `undefined` if the
 * key does not exist. Throws `backup-unsupported` for an extension that no codec has, and
 * `key-missing`, before it asks the store, where the configured key can write only.
 */
export async function openObject(
  repository: Repository,
  key: string,
  extension: string,
  { signal, large = false }: OpenObjectOptions,
): Promise<OpenObject | undefined> {
  const codec = repository.codecOf(extension);
  if (codec === undefined) {
    throw new TsbkError('backup-unsupported', `${key} has the unknown extension .${extension}`, {
      hint: 'tsbk reads lz4, zst, br, gz, lzma and uncompressed objects.',
    });
  }
  if (repository.cipher.unreadable !== undefined) throw repository.cipher.unreadable;
  const blob = await (large ? getLarge : getWhole)(repository, key, { signal });
  if (blob === undefined) return undefined;
  return {
    info: blob.info,
    codec,
    stored: blob.body,
    content: named(pipe(blob.body, repository.cipher.decrypt, codec.decompress), key),
  };
}

function getWhole({ store }: Repository, key: string, { signal }: RunOptions) {
  return store.get(key, { signal });
}

async function getLarge({ store, ranges }: Repository, key: string, { signal }: RunOptions) {
  if (ranges !== undefined) return await getInRanges(store, key, { signal, ...ranges });
  const blob = await store.get(key, { signal });
  return blob && { info: blob.info, body: lentBody(blob.body) };
}

/** Codecs and ciphers know what is wrong, not with which object. */
async function* named(content: ByteSource, key: string): ByteSource {
  try {
    yield* content;
  } catch (error) {
    if (!isTsbkError(error) || error.message.includes(key)) throw error;
    const { code, hint, retry, message } = error;
    throw new TsbkError(code, `${key}: ${message}`, { hint, retry, cause: error });
  }
}
