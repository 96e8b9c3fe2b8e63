import { isTsbkError, messageOf } from '../kernel/errors.ts';
import type { Clock } from '../ports/clock.ts';
import type { Report } from '../ports/report.ts';

export interface RetryOptions {
  /** Times one call is tried at most, the first included. */
  readonly attempts: number;
  /** Time after the first failure in which new attempts may begin. */
  readonly budgetMs: number;
  /** The first wait is a random part of this, each further one of twice as much, */
  readonly baseMs: number;
  /** but never of more than this. */
  readonly capMs: number;
  /** Added to each wait after the store has asked to slow down. Default 500. */
  readonly throttledMs?: number | undefined;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly report: Report;
}

/** Decides, failure by failure, whether there is another attempt, and waits for it. */
export interface Backoff {
  /** Returns when the next attempt may begin; throws `error` if there is none. */
  afterFailure(error: unknown): Promise<void>;
  /** Something was achieved: the next failure counts as the first. */
  reset(): void;
}

const THROTTLED_MS = 500;

/**
 * Exponential backoff with full jitter: of many clients that failed together no two come back
 * together. Only errors that say `retry` are tried again, and nothing after an abort.
 */
export function createBackoff(what: string, signal: AbortSignal, options: RetryOptions): Backoff {
  const { clock, random, report } = options;
  let failures = 0;
  let firstFailureMs = 0;
  return {
    reset: () => {
      failures = 0;
    },
    afterFailure: async (error) => {
      signal.throwIfAborted();
      if (!isTsbkError(error) || !error.retry) throw error;
      failures += 1;
      const now = clock.monotonicMs();
      if (failures === 1) firstFailureMs = now;
      const ceiling = Math.min(options.capMs, options.baseMs * 2 ** (failures - 1));
      const extra = isTsbkError(error, 'store-throttled')
        ? (options.throttledMs ?? THROTTLED_MS)
        : 0;
      const waitMs = Math.round(random() * ceiling + extra);
      const isTooLate = now + waitMs - firstFailureMs > options.budgetMs;
      if (failures >= options.attempts || isTooLate) throw error;
      report({ kind: 'retry', what, attempt: failures + 1, waitMs, error: messageOf(error) });
      await clock.sleep(waitMs, { signal });
    },
  };
}
