/**
 * Settles as `promise` does, or rejects with the signal's reason as soon as it aborts. The promise
 * itself goes on; `onAbort` is the place to end what it waits for.
 */
export async function orAbort<T>(
  promise: Promise<T>,
  signal: AbortSignal,
  onAbort?: () => void,
): Promise<T> {
  // Nobody may be left to hear a failure that comes after the abort.
  promise.catch(() => undefined);
  if (signal.aborted) onAbort?.();
  signal.throwIfAborted();
  let listener: (() => void) | undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    listener = () => {
      onAbort?.();
      reject(signal.reason as Error);
    };
    signal.addEventListener('abort', listener, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    if (listener !== undefined) signal.removeEventListener('abort', listener);
  }
}
