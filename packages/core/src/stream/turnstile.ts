import type { ByteSource, ByteStage } from '../ports/bytes.ts';
import type { Clock } from '../ports/clock.ts';

/**
 * A limit that all threads of the process share: plain data that may be posted to a worker, which
 * then waits in the same queue.
 */
export interface RateLimit {
  readonly bytesPerSecond: number;
  /** One 64-bit integer: when all bytes that were let in so far are through, in nanoseconds. */
  readonly freeAtNs: SharedArrayBuffer;
}

/** A limit of its own; nobody has passed it yet. */
export function rateLimit(bytesPerSecond: number): RateLimit {
  return { bytesPerSecond, freeAtNs: new SharedArrayBuffer(BigInt64Array.BYTES_PER_ELEMENT) };
}

/**
 * Resolves when so many bytes may pass. Those who come while others wait are let in one after the
 * other; rejects with the signal's reason when it aborts first.
 */
export type Turnstile = (bytes: number, signal: AbortSignal) => Promise<void>;

const NS_PER_MS = 1_000_000;

/**
 * What an idle limit saves up. A timer is late by a millisecond or more: without credit for that,
 * small chunks would never reach a high rate.
 */
const CREDIT_NS = 100 * NS_PER_MS;

/**
 * The entrance of a limit for one thread. The rate holds over all threads together; a single piece
 * passes at once, however large, and those after it wait longer.
 */
export function turnstile({ bytesPerSecond, freeAtNs }: RateLimit, clock: Clock): Turnstile {
  const cell = new BigInt64Array(freeAtNs);
  return async (bytes, signal) => {
    const nowNs = Math.round(clock.monotonicMs() * NS_PER_MS);
    const turnNs = takeTurn(cell, nowNs - CREDIT_NS, (bytes * 1e9) / bytesPerSecond);
    if (turnNs > nowNs) await clock.sleep((turnNs - nowNs) / NS_PER_MS, { signal });
  };
}

/** Moves the moment on by `costNs`, from `earliestNs` at least; gives where it stood. */
function takeTurn(cell: BigInt64Array, earliestNs: number, costNs: number): number {
  for (;;) {
    const seen = Atomics.load(cell, 0);
    const turnNs = Math.max(Number(seen), earliestNs);
    const next = BigInt(Math.round(turnNs + costNs));
    // Another thread may have been faster: then its turn is the one to come after.
    if (Atomics.compareExchange(cell, 0, seen, next) === seen) return turnNs;
  }
}

/** A step that lets bytes pass no faster than a turnstile does. */
export function paced(wait: Turnstile, signal: AbortSignal): ByteStage {
  return async function* pace(source: ByteSource): ByteSource {
    for await (const chunk of source) {
      await wait(chunk.length, signal);
      yield chunk;
    }
  };
}
