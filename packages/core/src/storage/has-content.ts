import type { BlobStore, CallOptions } from '../ports/blob-store.ts';

/** Whether the object is exactly these bytes. Reads it only as far as it agrees. */
export async function hasContent(
  store: BlobStore,
  key: string,
  bytes: Uint8Array,
  { signal }: CallOptions,
): Promise<boolean> {
  const blob = await store.get(key, { signal });
  if (blob === undefined) return false;
  let at = 0;
  for await (const chunk of blob.body) {
    const expected = bytes.subarray(at, at + chunk.length);
    if (Buffer.compare(chunk, expected) !== 0) return false;
    at += chunk.length;
  }
  return at === bytes.length;
}
