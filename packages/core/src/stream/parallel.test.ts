import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { bothOf, mapParallel } from './parallel.ts';

const { signal } = new AbortController();

test('mapParallel keeps the order and the width', async () => {
  let running = 0;
  let most = 0;
  const results = await mapParallel([5, 1, 3, 2, 4], { width: 2, signal }, async (n) => {
    running += 1;
    most = Math.max(most, running);
    for (let i = 0; i < n; i += 1) await turn();
    running -= 1;
    return n * 10;
  });
  assert.deepEqual(results, [50, 10, 30, 20, 40]);
  assert.equal(most, 2);
});

test('mapParallel throws the first failure after all others have ended', async () => {
  let ended = 0;
  await assert.rejects(
    mapParallel([1, 2, 3], { width: 3, signal }, async (n, stop) => {
      if (n === 2) throw new Error('second broke');
      await new Promise<void>((resolve) => stop.addEventListener('abort', () => resolve()));
      ended += 1;
      throw new Error('told to stop');
    }),
    /second broke/,
  );
  assert.equal(ended, 2);
});

test('mapParallel does not begin what an abort came before', async () => {
  const stop = new AbortController();
  let begun = 0;
  const all = mapParallel([1, 2, 3], { width: 1, signal: stop.signal }, async () => {
    begun += 1;
    stop.abort(new Error('enough'));
    await turn();
  });
  await assert.rejects(all, /enough/);
  assert.equal(begun, 1);
});

test('bothOf does both at once and gives both results', async () => {
  const order: string[] = [];
  const step = async (name: string): Promise<string> => {
    order.push(`${name} begins`);
    await turn();
    order.push(`${name} ends`);
    return name;
  };
  const results = await bothOf(
    () => step('a'),
    () => step('b'),
    { signal },
  );
  assert.deepEqual(results, ['a', 'b']);
  assert.deepEqual(order, ['a begins', 'b begins', 'a ends', 'b ends']);
});

test('bothOf throws the first failure once the other one, told to stop, has ended', async () => {
  let ended = false;
  const waiting = async (stop: AbortSignal): Promise<void> => {
    await new Promise<void>((resolve) => stop.addEventListener('abort', () => resolve()));
    await turn();
    ended = true;
    throw new Error('told to stop');
  };
  const failing = async (): Promise<void> => {
    await turn();
    throw new Error('broke');
  };
  await assert.rejects(bothOf(waiting, failing, { signal }), /broke/);
  assert.ok(ended);
});
