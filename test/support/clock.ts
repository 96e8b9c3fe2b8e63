import { setTimeout as sleep } from 'node:timers/promises';
import { instantFromMs } from '@tsbk/core/kernel/instant';
import type { Clock } from '@tsbk/core/ports/clock';

/** The machine's clock. */
export const realClock: Clock = {
  now: () => instantFromMs(Date.now()),
  monotonicMs: () => performance.now(),
  sleep: async (ms, { signal }) => {
    try {
      await sleep(ms, undefined, { signal });
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    }
  },
};

/** A clock that stands still but for `sleep`, which takes no time; `slept` tells how long in all. */
export function createFakeClock(): Clock & { readonly slept: readonly number[] } {
  const slept: number[] = [];
  let ms = 0;
  return {
    slept,
    now: () => instantFromMs(Date.UTC(2025, 0, 1) + ms),
    monotonicMs: () => ms,
    sleep: async (duration, { signal }) => {
      signal.throwIfAborted();
      slept.push(duration);
      ms += duration;
      await Promise.resolve();
    },
  };
}
