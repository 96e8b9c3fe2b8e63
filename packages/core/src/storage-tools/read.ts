import { TsbkError } from '../kernel/errors.ts';
import type { ByteSource } from '../ports/bytes.ts';
import { isPlainRecord } from '../repository/layout.ts';
import type { Repository, RunOptions } from '../repository/repository.ts';
import { pipe } from '../stream/source.ts';

export interface ReadOptions extends RunOptions {
  readonly decrypt: boolean;
  readonly decompress: boolean;
}

/**
 * The content of any object, as far as asked decrypted and decompressed. The extension tells the
 * codec; one that is none's is left as it is, and so are the JSON records, which are never
 * encrypted. Throws `object-missing`, and `key-missing` before it asks the store.
 */
export async function readAny(
  repository: Repository,
  key: string,
  { decrypt, decompress, signal }: ReadOptions,
): Promise<ByteSource> {
  const { store, cipher, codecOf } = repository;
  if (decrypt && cipher.unreadable !== undefined && !isPlainRecord(key)) throw cipher.unreadable;
  const blob = await store.get(key, { signal });
  if (blob === undefined) {
    throw new TsbkError('object-missing', `there is no object ${key} in ${store.url}`, {
      hint: '`tsbk st ls` shows what there is.',
    });
  }
  if (isPlainRecord(key)) return blob.body;
  const codec = codecOf(extensionIn(key));
  const stages = [
    ...(decrypt ? [cipher.decrypt] : []),
    ...(decompress && codec !== undefined ? [codec.decompress] : []),
  ];
  return pipe(blob.body, ...stages);
}

/** What follows the last dot of the last component; nothing without a dot. */
function extensionIn(key: string): string {
  return /\.([^./]*)$/.exec(key)?.[1] ?? '';
}
