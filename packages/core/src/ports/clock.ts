import type { Instant } from '../kernel/instant.ts';

/** Time, so that nothing below delivery asks the machine for it. */
export interface Clock {
  /** Wall clock. */
  now(): Instant;
  /** Milliseconds from an arbitrary point, the same in all threads, never going back. */
  monotonicMs(): number;
  /** Resolves after `ms`; rejects with the signal's reason when it aborts first. */
  sleep(ms: number, options: { readonly signal: AbortSignal }): Promise<void>;
}
