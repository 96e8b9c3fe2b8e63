import { instantToMs } from '../kernel/instant.ts';
import type { UnfinishedUpload } from '../ports/blob-store.ts';
import type { Repository, RunOptions } from './repository.ts';

/**
 * Uploads that nobody has finished, begun at least so long ago. Running ones are among them as long
 * as they are old enough: tsbk ends an object of a backup after about a gigabyte.
 */
export async function* unfinishedUploads(
  { store, clock }: Repository,
  { olderThanMs, signal }: RunOptions & { readonly olderThanMs: number },
): AsyncGenerator<UnfinishedUpload> {
  const latestMs = instantToMs(clock.now()) - olderThanMs;
  for await (const upload of store.unfinished('', { signal })) {
    if (instantToMs(upload.started) <= latestMs) yield upload;
  }
}
