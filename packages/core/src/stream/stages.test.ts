import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { collect } from './collect.ts';
import { pipe, sourceOf } from './source.ts';
import { tally } from './tally.ts';
import { orAbort } from './abort.ts';

const chunked = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 20 });

test('tally counts and hashes what passes and changes nothing', async () => {
  await fc.assert(
    fc.asyncProperty(chunked, async (chunks) => {
      const counted = tally();
      const source = pipe(sourceOf(...chunks), counted.stage);
      const all = await collect(source, { maxBytes: 1000, what: 'test' });
      assert.deepEqual(
        [...all],
        chunks.flatMap((chunk) => [...chunk]),
      );
      const sha256 = createHash('sha256').update(all).digest('hex');
      assert.deepEqual(counted.result(), { bytes: all.length, sha256 });
    }),
  );
});

test('collect refuses more than its limit, naming what it read', async () => {
  const source = sourceOf(new Uint8Array(5), new Uint8Array(6));
  await assert.rejects(
    collect(source, { maxBytes: 10, what: 'wal_005/x' }),
    /wal_005\/x is larger/,
  );
});

test('orAbort rejects with the reason of a signal, before and while waiting', async () => {
  const never = new Promise<never>(() => {});
  await assert.rejects(orAbort(never, AbortSignal.abort(new Error('before'))), /before/);
  const stop = new AbortController();
  let told = false;
  const waiting = orAbort(never, stop.signal, () => (told = true));
  stop.abort(new Error('while'));
  await assert.rejects(waiting, /while/);
  assert.ok(told);
  assert.equal(await orAbort(Promise.resolve(1), stop.signal).catch(() => 2), 2);
});
