import { createBackoff, type RetryOptions } from './backoff.ts';

/**
 * The result of `action`, attempted as often as `options` allow. It receives the error of the
 * attempt before, if there was one. Throws the last error, or the signal's reason.
 */
export async function tryAgain<T>(
  what: string,
  { signal, options }: { readonly signal: AbortSignal; readonly options: RetryOptions },
  action: (earlier: unknown) => Promise<T>,
): Promise<T> {
  const backoff = createBackoff(what, signal, options);
  let earlier: unknown;
  for (;;) {
    try {
      return await action(earlier);
    } catch (error) {
      await backoff.afterFailure(error);
      earlier = error;
    }
  }
}
