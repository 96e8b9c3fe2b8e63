import { isTsbkError, TsbkError } from '../kernel/errors.ts';
import type { BlobInfo } from '../ports/blob-store.ts';
import type { ByteSource } from '../ports/bytes.ts';
import type { Codec } from '../ports/codec.ts';
import { pipe } from '../stream/source.ts';
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
  { signal }: RunOptions,
): Promise<OpenObject | undefined> {
  const codec = repository.codecOf(extension);
  if (codec === undefined) {
    throw new TsbkError('backup-unsupported', `${key} has the unknown extension .${extension}`, {
      hint: 'tsbk reads lz4, zst, br, gz, lzma and uncompressed objects.',
    });
  }
  if (repository.cipher.unreadable !== undefined) throw repository.cipher.unreadable;
  const blob = await repository.store.get(key, { signal });
  if (blob === undefined) return undefined;
  return {
    info: blob.info,
    codec,
    stored: blob.body,
    content: named(pipe(blob.body, repository.cipher.decrypt, codec.decompress), key),
  };
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
