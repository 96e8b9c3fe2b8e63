import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toInstant } from '../kernel/instant.ts';
import type { BlobStore } from '../ports/blob-store.ts';
import type { Clock } from '../ports/clock.ts';
import { collect } from '../stream/collect.ts';
import { sourceOf } from '../stream/source.ts';
import { rateLimit, turnstile } from '../stream/turnstile.ts';
import { throttled } from './throttled.ts';

const { signal } = new AbortController();

/** Time passes by sleeping only. */
function sleepingClock(): Clock & { sleptMs: number } {
  const clock = {
    sleptMs: 0,
    now: () => toInstant(0n),
    monotonicMs: () => clock.sleptMs,
    sleep: async (ms: number, options: { readonly signal: AbortSignal }) => {
      options.signal.throwIfAborted();
      clock.sleptMs += ms;
    },
  };
  return clock;
}

/** The calls of a store that the throttle touches; the others are not reached. */
function smallStore(): BlobStore {
  const info = { key: 'a', bytes: 3000, modified: toInstant(0n), version: '1' };
  const body = sourceOf(...[1, 2, 3].map(() => new Uint8Array(1000)));
  return {
    get: async () => ({ info, body }),
    put: async () => 'stored',
    upload: async () => ({
      part: async () => {},
      complete: async () => 'stored',
      abort: async () => {},
    }),
  } as unknown as BlobStore;
}

test('throttled spaces what is sent by the rate', async () => {
  const clock = sleepingClock();
  const store = throttled(smallStore(), turnstile(rateLimit(1000), clock));
  await store.put('a', new Uint8Array(500), { signal });
  assert.equal(clock.sleptMs, 0);
  const upload = await store.upload('b', { signal });
  await upload.part({ number: 1, offset: 0, bytes: new Uint8Array(2000) }, { signal });
  assert.equal(clock.sleptMs, 500);
  await upload.part({ number: 2, offset: 2000, bytes: new Uint8Array(1) }, { signal });
  assert.equal(clock.sleptMs, 2500);
  assert.equal(await upload.complete({ signal }), 'stored');
});

test('throttled spaces what is received and passes it on unchanged', async () => {
  const clock = sleepingClock();
  const store = throttled(smallStore(), turnstile(rateLimit(1000), clock));
  const blob = await store.get('a', { signal });
  assert.ok(blob);
  const bytes = await collect(blob.body, { maxBytes: 10_000, what: 'a' });
  assert.equal(bytes.length, 3000);
  assert.equal(clock.sleptMs, 2000);
});

test('throttled hears the signal while it waits', async () => {
  const store = throttled(smallStore(), turnstile(rateLimit(1), sleepingClock()));
  await store.put('a', new Uint8Array(10), { signal });
  const aborted = AbortSignal.abort(new Error('enough'));
  await assert.rejects(store.put('b', new Uint8Array(1), { signal: aborted }), /enough/);
});
