import { isTsbkError, type TsbkError } from '../kernel/errors.ts';
import type { Clock } from '../ports/clock.ts';
import type { Report } from '../ports/report.ts';

export interface Patience {
  readonly clock: Clock;
  readonly report: Report;
  readonly signal: AbortSignal;
}

const PAUSE_MS_FIRST = 250;
const PAUSE_MS_MAX = 10_000;

/** How long to wait after the `failures`-th failure in a row, from 1. */
export function pauseMs(failures: number): number {
  return Math.min(PAUSE_MS_MAX, PAUSE_MS_FIRST * 2 ** Math.min(failures - 1, 20));
}

/**
 * Does something again until it succeeds or fails for good. The store's own retries are short,
 * because others wait for them; what was received has nobody to go back to.
 */
export async function keepTrying<T>(
  what: string,
  { clock, report, signal }: Patience,
  action: () => Promise<T>,
): Promise<T> {
  for (let failures = 1; ; failures += 1) {
    try {
      return await action();
    } catch (error) {
      signal.throwIfAborted();
      if (!isTsbkError(error) || !mayPass(error)) throw error;
      const waitMs = pauseMs(failures);
      report({ kind: 'retry', what, attempt: failures, waitMs, error: error.message });
      await clock.sleep(waitMs, { signal });
    }
  }
}

/**
 * Whether a failure may be over by itself or by what somebody does elsewhere: credentials that have
 * expired, a bucket that is gone, a disk that is full are mended while the receiver waits.
 */
export function mayPass(error: TsbkError): boolean {
  return error.retry || PASSING.some((start) => error.code.startsWith(start));
}

const PASSING = ['store-', 'server-', 'connection-', 'slot-in-use', 'protocol-violation'];
