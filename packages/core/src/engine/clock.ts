import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { toInstant } from '../kernel/instant.ts';
import type { Clock } from '../ports/clock.ts';

/** The machine's clock. `now` has the resolution of a millisecond plus a running fraction. */
export const systemClock: Clock = {
  now: () => {
    const ms = performance.timeOrigin + performance.now();
    const whole = Math.floor(ms);
    return toInstant(BigInt(whole) * 1_000_000n + BigInt(Math.floor((ms - whole) * 1e6)));
  },
  monotonicMs: () => performance.now(),
  sleep: async (ms, { signal }) => {
    try {
      await sleep(ms, undefined, { signal });
    } catch {
      signal.throwIfAborted();
    }
  },
};
