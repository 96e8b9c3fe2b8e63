import assert from 'node:assert/strict';
import { isTsbkError } from '@tsbk/core/kernel/errors';
import type { ErrorCode } from '@tsbk/core/kernel/error-codes';
import type { BlobStore, GetOptions } from '@tsbk/core/ports/blob-store';
import { collect } from '@tsbk/core/stream/collect';

/** A signal that never aborts. */
export const signal: AbortSignal = new AbortController().signal;

/** Bytes that differ from position to position and from seed to seed. */
export function noise(bytes: number, seed = 1): Buffer {
  const buffer = Buffer.allocUnsafe(bytes);
  let state = (seed * 0x9e3779b1) >>> 0 || 1;
  for (let index = 0; index < bytes; index += 1) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    buffer[index] = state >>> 24;
  }
  return buffer;
}

/** The content under a key, `undefined` if there is none. */
export async function contentOf(
  store: BlobStore,
  key: string,
  options: Partial<GetOptions> = {},
): Promise<Buffer | undefined> {
  const blob = await store.get(key, { signal, ...options });
  return blob && collect(blob.body, { maxBytes: 1 << 30, what: key });
}

export async function keysOf(
  store: BlobStore,
  prefix = '',
  options: { readonly shallow?: boolean; readonly after?: string } = {},
): Promise<string[]> {
  const keys: string[] = [];
  for await (const info of store.list(prefix, { signal, ...options })) keys.push(info.key);
  return keys;
}

export async function foldersOf(store: BlobStore, prefix = ''): Promise<string[]> {
  const names: string[] = [];
  for await (const name of store.folders(prefix, { signal })) names.push(name);
  return names;
}

export async function unfinishedOf(store: BlobStore, prefix = ''): Promise<string[]> {
  const keys: string[] = [];
  for await (const upload of store.unfinished(prefix, { signal })) keys.push(upload.key);
  return keys.toSorted();
}

/** Asserts that it fails with this code. */
export async function refuses(code: ErrorCode, action: () => Promise<unknown>): Promise<void> {
  await assert.rejects(
    async () => action(),
    (error) => {
      if (isTsbkError(error, code)) return true;
      throw new Error(`expected ${code}`, { cause: error });
    },
  );
}
