import { randomBytes } from 'node:crypto';
import type { BlobStore, CallOptions } from '../ports/blob-store.ts';
import { hasContent } from './has-content.ts';

/** Whether a store keeps its promise that a write if absent never replaces anything. */
export interface ConditionalWrites {
  readonly put: boolean;
  readonly upload: boolean;
}

/**
 * Tries it: writes an object of a random name twice, each way. There are S3 services that ignore
 * `If-None-Match` and answer as if all were well; with them two servers that share a prefix
 * overwrite each other's WAL. Leaves nothing. Throws what the store throws.
 */
export async function probeConditionalWrites(
  store: BlobStore,
  { signal }: CallOptions,
): Promise<ConditionalWrites> {
  const key = `tsbk-check-${randomBytes(16).toString('hex')}`;
  const first = Buffer.from('first');
  const second = Buffer.from('second');
  try {
    await store.put(key, first, { signal, ifAbsent: true });
    const again = await store.put(key, second, { signal, ifAbsent: true });
    const put = again === 'exists' && (await hasContent(store, key, first, { signal }));
    if (!put) await store.put(key, first, { signal });
    const completed = await uploadIfAbsent(store, key, second, { signal });
    const kept = await hasContent(store, key, first, { signal });
    return { put, upload: completed === 'exists' && kept };
  } finally {
    await store.remove(key, { signal });
  }
}

async function uploadIfAbsent(
  store: BlobStore,
  key: string,
  bytes: Uint8Array,
  { signal }: CallOptions,
): Promise<string> {
  const upload = await store.upload(key, { signal, ifAbsent: true });
  try {
    await upload.part({ number: 1, offset: 0, bytes }, { signal });
    return await upload.complete({ signal });
  } finally {
    await upload.abort({ signal });
  }
}
