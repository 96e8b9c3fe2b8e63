import type { BlobStore, Upload } from '../ports/blob-store.ts';
import { paced, type Turnstile } from '../stream/turnstile.ts';

/**
 * `store`, no faster on average than a turnstile lets bytes pass, sent and received together. Who
 * wants to send or has received bytes waits until their turn; a request once begun runs at full
 * speed, so bursts are as long as a part.
 */
export function throttled(store: BlobStore, wait: Turnstile): BlobStore {
  return {
    ...store,
    get: async (key, call) => {
      const blob = await store.get(key, call);
      return blob && { info: blob.info, body: paced(wait, call.signal)(blob.body) };
    },
    put: async (key, bytes, call) => {
      await wait(bytes.length, call.signal);
      return store.put(key, bytes, call);
    },
    upload: async (key, call): Promise<Upload> => {
      const upload = await store.upload(key, call);
      return {
        ...upload,
        part: async (part, partCall) => {
          await wait(part.bytes.length, partCall.signal);
          await upload.part(part, partCall);
        },
        complete: (completeCall) => upload.complete(completeCall),
        abort: (abortCall) => upload.abort(abortCall),
      };
    },
  };
}
