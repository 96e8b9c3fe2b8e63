import { TsbkError } from '../kernel/errors.ts';
import { formatDuration } from '../kernel/duration.ts';
import type { BlobStore } from '../ports/blob-store.ts';
import type { ByteSource } from '../ports/bytes.ts';
import type { Clock } from '../ports/clock.ts';
import { orAbort } from '../stream/abort.ts';

export interface SilenceLimit {
  /** The longest that one answer, or the next bytes of one, may take. Milliseconds. */
  readonly limitMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/**
 * `store` for reading, whose silence fails with `store-timeout`. A file that comes slowly is waited
 * for as long as something of it comes; what the reader does meanwhile does not count. Once the
 * limit was met, whatever is asked fails.
 */
export function cutSilence(store: BlobStore, { limitMs, clock, signal }: SilenceLimit): BlobStore {
  const cut = new AbortController();
  const either = AbortSignal.any([signal, cut.signal]);
  const answered = async <T>(answer: Promise<T>): Promise<T> => {
    const settled = new AbortController();
    clock.sleep(limitMs, { signal: settled.signal }).then(
      () => cut.abort(silent(store.url, limitMs)),
      () => undefined,
    );
    try {
      return await orAbort(answer, either);
    } finally {
      settled.abort();
    }
  };
  const heard = <T>(items: AsyncIterable<T>): AsyncIterable<T> => ({
    [Symbol.asyncIterator]: () => {
      const iterator = items[Symbol.asyncIterator]();
      return {
        next: () => answered(iterator.next()),
        return: async () => (await iterator.return?.()) ?? { done: true, value: undefined },
      };
    },
  });
  return {
    ...store,
    stat: (key) => answered(store.stat(key, { signal: either })),
    get: async (key, options) => {
      const blob = await answered(store.get(key, { ...options, signal: either }));
      const body: ByteSource | undefined = blob && heard(blob.body);
      return blob && body && { info: blob.info, body };
    },
    list: (prefix, options) => heard(store.list(prefix, { ...options, signal: either })),
  };
}

function silent(url: string, limitMs: number): TsbkError {
  return new TsbkError('store-timeout', `${url} said nothing for ${formatDuration(limitMs)}`, {
    hint: 'Check the network and the service; TSBK_GET_PATIENCE says how long it is waited for.',
  });
}
