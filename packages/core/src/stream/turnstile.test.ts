import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';
import { systemClock } from '../engine/clock.ts';
import { toInstant } from '../kernel/instant.ts';
import type { Clock } from '../ports/clock.ts';
import { collect } from './collect.ts';
import { sourceOf } from './source.ts';
import { paced, rateLimit, turnstile, type RateLimit } from './turnstile.ts';

const { signal } = new AbortController();

/** Time passes by sleeping, a millisecond longer than asked for: timers are late. */
function lateClock(startMs: number): Clock & { readonly waits: number[] } {
  let nowMs = startMs;
  const waits: number[] = [];
  return {
    waits,
    now: () => toInstant(0n),
    monotonicMs: () => nowMs,
    sleep: async (ms) => {
      waits.push(Math.round(ms));
      nowMs += ms + 1;
    },
  };
}

describe('turnstile', () => {
  it('lets each piece in when those before it are through', async () => {
    const clock = lateClock(0);
    const wait = turnstile(rateLimit(1000), clock);
    for (const bytes of [500, 2000, 1, 1]) await wait(bytes, signal);
    assert.deepEqual(clock.waits, [500, 1999]);
  });

  it('makes up for late timers, so that small pieces reach a high rate', async () => {
    const clock = lateClock(5000);
    const wait = turnstile(rateLimit(1e9), clock);
    for (let piece = 0; piece < 100_000; piece += 1) await wait(64_000, signal);
    const seconds = (clock.monotonicMs() - 5000) / 1000;
    assert.ok(seconds > 6.2 && seconds < 6.5, `6.4 GB at 1 GB/s took ${seconds} s`);
  });

  it('after a pause lets no more pass than a tenth of a second’s worth', async () => {
    const clock = lateClock(1e9);
    const wait = turnstile(rateLimit(1000), clock);
    for (let byte = 0; byte < 200; byte += 1) await wait(10, signal);
    const ms = clock.monotonicMs() - 1e9;
    assert.ok(ms >= 1890, `2000 bytes at 1000 B/s took ${ms} ms`);
  });

  it('is one for all threads that share a limit', async () => {
    const limit = rateLimit(1);
    await inWorkers(4, limit);
    const clock = { ...systemClock, sleep: async (ms: number) => void (slept = ms) };
    let slept = 0;
    await turnstile(limit, clock)(1, signal);
    // 4 threads × 10,000 turns of 1 byte are 40,000 s, less the moment that has passed meanwhile.
    assert.ok(slept > 39_500_000 && slept <= 40_000_000, `${slept} ms`);
  });

  it('hears the signal while it waits', async () => {
    const wait = turnstile(rateLimit(1), systemClock);
    await wait(1000, signal);
    await assert.rejects(wait(1, AbortSignal.abort(new Error('enough'))), /enough/);
  });
});

describe('paced', () => {
  it('passes everything on, in its time', async () => {
    const clock = lateClock(0);
    const stage = paced(turnstile(rateLimit(1000), clock), signal);
    const source = stage(sourceOf(Buffer.alloc(1000, 1), Buffer.alloc(500, 2), Buffer.from([3])));
    const bytes = await collect(source, { maxBytes: 9999, what: 'test' });
    assert.deepEqual([bytes.length, bytes.at(999), bytes.at(-2), bytes.at(-1)], [1501, 1, 2, 3]);
    assert.deepEqual(clock.waits, [1000, 499]);
  });
});

/** Takes 10,000 turns of one byte in each of several threads, none of which waits for its turn. */
async function inWorkers(count: number, limit: RateLimit): Promise<void> {
  const program = `
    import { workerData } from 'node:worker_threads';
    import { turnstile } from ${JSON.stringify(new URL('./turnstile.ts', import.meta.url).href)};
    import { systemClock } from ${JSON.stringify(new URL('../engine/clock.ts', import.meta.url).href)};
    const wait = turnstile(workerData, { ...systemClock, sleep: async () => {} });
    for (let turn = 0; turn < 10_000; turn += 1) await wait(1, new AbortController().signal);
  `;
  const url = new URL(`data:text/javascript,${encodeURIComponent(program)}`);
  const ended = Array.from({ length: count }, () => {
    const worker = new Worker(url, { workerData: limit });
    return new Promise((done, fail) => {
      worker.once('exit', done);
      worker.once('error', fail);
    });
  });
  assert.deepEqual(
    await Promise.all(ended),
    Array.from({ length: count }, () => 0),
  );
}
