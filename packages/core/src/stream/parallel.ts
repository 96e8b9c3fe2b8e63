import pLimit from 'p-limit';

/**
 * Runs `work` for every item, at most `width` at once, results in the items' order. The first
 * failure stops the others by their signal; all have ended when this settles, and the first
 * failure is what is thrown.
 */
export async function mapParallel<T, R>(
  items: readonly T[],
  { width, signal }: { readonly width: number; readonly signal: AbortSignal },
  work: (item: T, signal: AbortSignal) => Promise<R>,
): Promise<R[]> {
  signal.throwIfAborted();
  const stop = new AbortController();
  const both = AbortSignal.any([signal, stop.signal]);
  const limit = pLimit(width);
  let failure: { readonly error: unknown } | undefined;
  const tasks = items.map((item) =>
    limit(async () => {
      both.throwIfAborted();
      try {
        return await work(item, both);
      } catch (error) {
        failure ??= { error };
        stop.abort(error);
        throw error;
      }
    }),
  );
  const settled = await Promise.allSettled(tasks);
  if (failure !== undefined) throw failure.error;
  signal.throwIfAborted();
  return settled.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
}

/**
 * Does two things at once. If one fails the other is stopped by its signal; both have ended when this
 * settles, and the first failure is what is thrown.
 */
export async function bothOf<A, B>(
  first: (signal: AbortSignal) => Promise<A>,
  second: (signal: AbortSignal) => Promise<B>,
  { signal }: { readonly signal: AbortSignal },
): Promise<readonly [A, B]> {
  const stop = new AbortController();
  const both = AbortSignal.any([signal, stop.signal]);
  const stopping = async <T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> => {
    try {
      both.throwIfAborted();
      return await work(both);
    } catch (error) {
      stop.abort(error);
      throw error;
    }
  };
  const [a, b] = await Promise.allSettled([stopping(first), stopping(second)]);
  if (a.status === 'fulfilled' && b.status === 'fulfilled') return [a.value, b.value];
  throw stop.signal.reason;
}

/**
 * Runs `work` for every item as it comes, at most `width` at once: the next item is asked for when
 * there is somebody to work on it. The first failure, of an item or of what gives them, stops the
 * others by their signal; all have ended when this settles, and the first failure is what is thrown.
 */
export async function eachParallel<T>(
  items: AsyncIterable<T>,
  { width, signal }: { readonly width: number; readonly signal: AbortSignal },
  work: (item: T, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const stop = new AbortController();
  const both = AbortSignal.any([signal, stop.signal]);
  const iterator = items[Symbol.asyncIterator]();
  let failure: { readonly error: unknown } | undefined;
  const worker = async (): Promise<void> => {
    try {
      for (;;) {
        both.throwIfAborted();
        const next = await iterator.next();
        if (next.done === true) return;
        await work(next.value, both);
      }
    } catch (error) {
      failure ??= { error };
      stop.abort(error);
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
  await iterator.return?.();
  if (failure !== undefined) throw failure.error;
}
