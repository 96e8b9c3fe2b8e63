import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { instantFromMs } from '../kernel/instant.ts';
import type { Clock } from '../ports/clock.ts';

/** The machine's clock; `now` follows its corrections, `monotonicMs` does not. */
export const systemClock: Clock = {
  now: () => instantFromMs(Date.now()),
  monotonicMs: () => performance.now(),
  sleep: async (ms, { signal }) => {
    try {
      await sleep(ms, undefined, { signal });
    } catch {
      signal.throwIfAborted();
    }
  },
};
