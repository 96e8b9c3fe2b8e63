import { randomBytes } from 'node:crypto';
import { TsbkError } from '../kernel/errors.ts';
import type { BlobStore } from '../ports/blob-store.ts';
import type { RunOptions } from '../repository/repository.ts';

/** Lists the root and looks for objects. Throws `object-missing`, naming all that are not there. */
export async function probeReading(
  store: BlobStore,
  keys: readonly string[],
  { signal }: RunOptions,
): Promise<void> {
  for await (const _ of store.list('', { signal, shallow: true })) break;
  const missing: string[] = [];
  for (const key of keys) {
    if ((await store.stat(key, { signal })) === undefined) missing.push(key);
  }
  if (missing.length === 0) return;
  throw new TsbkError('object-missing', `not in ${store.url}: ${missing.join(', ')}`);
}

/** Writes a small object under a name that nobody uses, and removes it. */
export async function probeWriting(store: BlobStore, { signal }: RunOptions): Promise<void> {
  const key = `tsbk-check-${randomBytes(16).toString('hex')}`;
  await store.put(key, Buffer.from('test'), { signal, ifAbsent: true });
  await store.remove(key, { signal });
}
