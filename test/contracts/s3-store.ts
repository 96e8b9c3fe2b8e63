import { openS3Store, type S3Options } from '@tsbk/core/storage/s3/open';
import type { BlobStore } from '@tsbk/core/ports/blob-store';
import type { StoreUnderTest } from './blob-store.ts';
import { signal } from './blob-store/helpers.ts';
import { realClock } from '../support/clock.ts';

/**
 * The store of these options, and one whose bucket does not exist. `isShared`: the bucket outlives
 * the tests, so that what they leave is removed.
 */
export async function openS3UnderTest(
  options: S3Options,
  { isShared }: { readonly isShared: boolean },
): Promise<StoreUnderTest> {
  const store = await openS3Store(options, { clock: realClock });
  const elsewhere = { ...options, bucket: `${options.bucket}-not-there` };
  const missing = await openS3Store(elsewhere, { clock: realClock });
  return {
    store,
    missing,
    [Symbol.asyncDispose]: async () => {
      if (isShared) await removeAll(store);
      await Promise.all([store.close(), missing.close()]);
    },
  };
}

async function removeAll(store: BlobStore): Promise<void> {
  for await (const { key } of store.list('', { signal })) await store.remove(key, { signal });
  for await (const upload of store.unfinished('', { signal })) await upload.discard({ signal });
}
