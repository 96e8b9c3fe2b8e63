import type { BlobStore, Upload } from '../ports/blob-store.ts';
import type { ByteSource } from '../ports/bytes.ts';
import type { Clock } from '../ports/clock.ts';

export interface ThrottleOptions {
  /** Bytes a second, sent and received together, over all calls of the store. */
  readonly bytesPerSecond: number;
  readonly clock: Clock;
}

/**
 * `store`, no faster than that on average. Who wants to send or has received bytes waits until
 * their turn; a request once begun runs at full speed, so bursts are as long as a part.
 */
export function throttled(store: BlobStore, options: ThrottleOptions): BlobStore {
  const wait = turnstile(options);
  return {
    ...store,
    get: async (key, call) => {
      const blob = await store.get(key, call);
      return blob && { info: blob.info, body: paced(blob.body, wait, call.signal) };
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

type Turnstile = (bytes: number, signal: AbortSignal) => Promise<void>;

/** Gives each caller the moment at which those before it are through. */
function turnstile({ bytesPerSecond, clock }: ThrottleOptions): Turnstile {
  let freeAtMs = 0;
  return async (bytes, signal) => {
    const nowMs = clock.monotonicMs();
    const turnMs = Math.max(freeAtMs, nowMs);
    freeAtMs = turnMs + (bytes * 1000) / bytesPerSecond;
    if (turnMs > nowMs) await clock.sleep(turnMs - nowMs, { signal });
  };
}

async function* paced(body: ByteSource, wait: Turnstile, signal: AbortSignal): ByteSource {
  for await (const chunk of body) {
    await wait(chunk.length, signal);
    yield chunk;
  }
}
