import type { Config } from '../settings/table.ts';
import { rateLimit, turnstile, type RateLimit, type Turnstile } from '../stream/turnstile.ts';
import { systemClock } from './clock.ts';

/**
 * The rate limits of one run. Plain data over shared memory: a worker thread that gets it passes
 * the same turnstiles, so that the limits hold over all threads together.
 */
export interface RateLimits {
  /** To and from the object store. */
  readonly network?: RateLimit;
  /** From the data directory. */
  readonly disk?: RateLimit;
}

/** The limits that the settings ask for; none under `turbo`. Call it once for a run. */
export function rateLimits({ networkRateBytes, diskRateBytes, turbo }: Config): RateLimits {
  if (turbo) return {};
  return {
    ...(networkRateBytes === undefined ? {} : { network: rateLimit(networkRateBytes) }),
    ...(diskRateBytes === undefined ? {} : { disk: rateLimit(diskRateBytes) }),
  };
}

/** By which a thread that reads the data directory keeps within the limit on that. */
export function diskPace({ disk }: RateLimits): Turnstile | undefined {
  return disk === undefined ? undefined : turnstile(disk, systemClock);
}
