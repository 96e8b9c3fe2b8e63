import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withGrace } from './grace.ts';

const never = new Promise<never>(() => {});

test('withGrace gives what the work gives', async () => {
  const { signal } = new AbortController();
  assert.equal(await withGrace(Promise.resolve(3), signal, 10), 3);
  await assert.rejects(withGrace(Promise.reject(new Error('broken')), signal, 10), /broken/);
});

test('withGrace lets the work clean up after an abort', async () => {
  const stop = new AbortController();
  const work = (async () => {
    await new Promise<void>((resolve) => stop.signal.addEventListener('abort', () => resolve()));
    return 'cleaned up';
  })();
  const waiting = withGrace(work, stop.signal, 60_000);
  stop.abort(new Error('enough'));
  assert.equal(await waiting, 'cleaned up');
});

test('withGrace ends with the signal’s reason when the work hangs', async () => {
  const aborted = AbortSignal.abort(new Error('enough'));
  await assert.rejects(withGrace(never, aborted, 1), /enough/);
});
