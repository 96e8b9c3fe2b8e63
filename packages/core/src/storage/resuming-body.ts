import { TsbkError } from '../kernel/errors.ts';
import type { Blob, BlobStore, GetOptions } from '../ports/blob-store.ts';
import type { ByteSource } from '../ports/bytes.ts';
import { ownedSource } from '../stream/owned-source.ts';
import { createBackoff, type RetryOptions } from './backoff.ts';

/** Progress after which the next failure counts as the first: a bound, since objects end. */
const PROGRESS_BYTES = 1024 * 1024;

/**
 * `blob.body`, asked for anew from where it broke off, of the very same version. Throws
 * `object-corrupt` if the object was replaced or removed meanwhile.
 */
export function resumingBody(
  store: BlobStore,
  blob: Blob,
  call: GetOptions,
  options: RetryOptions,
): ByteSource {
  const { key, version } = blob.info;
  const first = call.from ?? 0;
  let current = blob.body[Symbol.asyncIterator]();

  async function* chunks(): AsyncGenerator<Uint8Array> {
    const backoff = createBackoff(`read ${key}`, call.signal, options);
    let at = first;
    let resetAt = first + PROGRESS_BYTES;
    for (;;) {
      try {
        const result = await current.next();
        if (result.done === true) return;
        at += result.value.length;
        if (at >= resetAt) {
          backoff.reset();
          resetAt = at + PROGRESS_BYTES;
        }
        yield result.value;
      } catch (error) {
        await backoff.afterFailure(error);
        current = reopening(store, key, { ...call, version, from: at });
        resetAt = at + PROGRESS_BYTES;
      }
    }
  }
  return ownedSource(chunks(), () => {
    current.return?.().catch(() => undefined);
  });
}

/** Opens when it is first read, so that a failure to do so is one more broken read. */
async function* reopening(
  store: BlobStore,
  key: string,
  call: GetOptions,
): AsyncGenerator<Uint8Array> {
  const blob = await store.get(key, call);
  if (blob === undefined) {
    throw new TsbkError('object-corrupt', `${key} was removed while it was read`);
  }
  yield* blob.body;
}
