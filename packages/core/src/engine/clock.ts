import { setTimeout as sleep } from 'node:timers/promises';
import { instantFromMs } from '../kernel/instant.ts';
import type { Clock } from '../ports/clock.ts';

/**
 * The machine's clock; `now` follows its corrections, `monotonicMs` does not. `performance.now()`
 * would begin anew in each thread.
 */
export const systemClock: Clock = {
  now: () => instantFromMs(Date.now()),
  monotonicMs: () => Number(process.hrtime.bigint()) / 1e6,
  sleep: async (ms, { signal }) => {
    try {
      await sleep(ms, undefined, { signal });
    } catch {
      signal.throwIfAborted();
    }
  },
};
