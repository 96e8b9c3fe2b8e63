/** Large objects are read in ranges, several at once, from a strict model of S3. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { isTsbkError } from '@tsbk/core/kernel/errors';
import type { BlobStore, GetOptions } from '@tsbk/core/ports/blob-store';
import { getInRanges } from '@tsbk/core/repository/read-ranges';
import { collect } from '@tsbk/core/stream/collect';
import { owned } from '@tsbk/core/stream/owned';
import { sourceOf } from '@tsbk/core/stream/source';
import { noise } from './contracts/blob-store/helpers.ts';
import { eventually } from './support/eventually.ts';
import { onModel, patient, type OnModel } from './support/s3-on-model.ts';

const { signal } = new AbortController();
const CONTENT = noise(3_000_100);
const ranges = { rangeBytes: 700_000, rangesInFlight: 2 };

describe('an object in ranges', () => {
  let at: OnModel;

  before(async () => {
    at = await onModel();
    await at.store.put('a', CONTENT, { signal });
    await at.store.put('empty', Buffer.alloc(0), { signal });
  });
  after(async () => await at[Symbol.asyncDispose]());

  /** The store, with a note of what is asked for and of how many bodies are open at once. */
  function watched(store: BlobStore) {
    const asked: Pick<GetOptions, 'from' | 'until' | 'version'>[] = [];
    const open = { now: 0, most: 0 };
    async function* counted(body: AsyncIterable<Uint8Array>) {
      open.now += 1;
      open.most = Math.max(open.most, open.now);
      try {
        yield* body;
      } finally {
        open.now -= 1;
      }
    }
    const get: BlobStore['get'] = async (key, call) => {
      asked.push(call);
      const blob = await store.get(key, call);
      return blob && { ...blob, body: counted(blob.body) };
    };
    return { asked, open, store: { ...store, get } };
  }

  const whole = async (store: BlobStore, key: string, rangeBytes: number): Promise<Buffer> => {
    const blob = await getInRanges(store, key, { signal, ...ranges, rangeBytes });
    // What is lent is copied.
    return await collect(owned(blob?.body ?? sourceOf()), { maxBytes: CONTENT.length, what: key });
  };

  it('is what it is in one piece, wherever it is cut', async () => {
    for (const rangeBytes of [100_000, 1_000_000, 1_500_050, 3_000_099, 3_000_100, 9_000_000]) {
      assert.ok((await whole(at.store, 'a', rangeBytes)).equals(CONTENT), `${rangeBytes}`);
    }
    assert.equal((await whole(at.store, 'empty', 1000)).length, 0);
    assert.equal(await getInRanges(at.store, 'none', { signal, ...ranges }), undefined);
  });

  it('is asked for in time, so much at once and no more, and always of one version', async () => {
    const { store, asked, open } = watched(at.store);
    const blob = await getInRanges(store, 'a', { signal, ...ranges });
    let bytes = 0;
    const memory = new Set<ArrayBufferLike>();
    for await (const chunk of blob?.body ?? []) {
      bytes += chunk.length;
      memory.add(chunk.buffer);
      // The range at hand, and two more.
      const begun = Math.min(5, Math.floor((bytes - 1) / ranges.rangeBytes) + 3);
      await eventually('the ranges ahead', async () => asked.length === begun || undefined);
    }
    assert.equal(memory.size, 3);
    assert.ok(open.most <= 3, `${open.most} at once`);
    assert.deepEqual(
      asked.map(({ from = 0, until }) => [from, until]),
      [0, 1, 2, 3, 4].map((i) => [i * 700_000, Math.min((i + 1) * 700_000, CONTENT.length)]),
    );
    assert.ok(asked.slice(1).every(({ version }) => version === blob?.info.version));
  });

  it('that is replaced or removed meanwhile is no mixture but an error', async () => {
    for (const change of ['replace', 'remove']) {
      await at.store.put('b', CONTENT, { signal });
      const blob = await getInRanges(at.store, 'b', { signal, ...ranges, rangesInFlight: 1 });
      await assert.rejects(
        async () => {
          for await (const _ of blob?.body ?? []) {
            if (change === 'remove') await at.store.remove('b', { signal });
            else await at.store.put('b', noise(3_000_100, 2), { signal });
          }
        },
        (error) => isTsbkError(error, 'object-corrupt'),
      );
    }
  });

  it('that breaks off goes on where it did', async () => {
    at.model.addRule({
      operation: 'GetObject',
      times: 3,
      fault: { kind: 'cut-answer', announced: true },
    });
    assert.ok((await whole(patient(at.store), 'a', 700_000)).equals(CONTENT));
  });

  it('is not read any further when it is left, begun or not', async () => {
    for (const chunks of [0, 1, 4]) {
      const { store, open, asked } = watched(at.store);
      const blob = await getInRanges(store, 'a', { signal, ...ranges });
      const iterator = blob?.body[Symbol.asyncIterator]();
      for (let i = 0; i < chunks; i += 1) await iterator?.next();
      await iterator?.return?.();
      await eventually('the end of every body', async () => open.now === 0 || undefined);
      assert.ok(asked.length <= 4);
      assert.equal((await iterator?.next())?.done, true);
    }
  });

  it('leaves nothing under way that would never end', async () => {
    const { store, open, asked } = watched(at.store);
    at.model.addRule({ operation: 'GetObject', hit: 2, times: 9, fault: { kind: 'trickle' } });
    const blob = await getInRanges(store, 'a', { signal, ...ranges });
    const iterator = blob?.body[Symbol.asyncIterator]();
    await iterator?.next();
    await eventually('two ranges ahead', async () => open.now === 2 || undefined);
    await iterator?.return?.();
    await eventually('the end of every body', async () => open.now === 0 || undefined);
    assert.equal(asked.length, 3);
    at.model.clearRules();
  });

  it('ends with the reason of an abort', async () => {
    const stop = new AbortController();
    const blob = await getInRanges(at.store, 'a', { signal: stop.signal, ...ranges });
    const reason = new Error('enough');
    await assert.rejects(
      async () => {
        for await (const _ of blob?.body ?? []) stop.abort(reason);
      },
      (error) => error === reason,
    );
  });
});
