import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { OpenStore } from '../blob-store.ts';
import { contentOf, noise, refuses, signal } from './helpers.ts';

export function readContract(open: OpenStore): void {
  it('a read may begin anywhere up to the end', async () => {
    await using under = await open();
    const { store } = under;
    const content = noise(700_000);
    await store.put('a', content, { signal });
    for (const from of [0, 1, 262_144, 699_999, 700_000]) {
      assert.deepEqual(await contentOf(store, 'a', { from }), content.subarray(from), `${from}`);
    }
    const blob = await store.get('a', { signal, from: 5 });
    assert.equal(blob?.info.bytes, 700_000);
    await blob.body[Symbol.asyncIterator]().return?.();
  });

  it('a read may end before the end', async () => {
    await using under = await open();
    const { store } = under;
    const content = noise(700_000);
    await store.put('a', content, { signal });
    await store.put('empty', Buffer.alloc(0), { signal });
    const { version } = (await store.stat('a', { signal })) ?? {};
    for (const [from, until] of [
      [0, 1],
      [0, 300_000],
      [299_999, 600_001],
      [5, 5_000_000],
      [0, 700_000],
    ] as const) {
      const piece = await contentOf(store, 'a', { from, until, ...(version && { version }) });
      assert.deepEqual(piece, content.subarray(from, until), `${from} to ${until}`);
    }
    assert.deepEqual(await contentOf(store, 'empty', { until: 10 }), Buffer.alloc(0));
    const blob = await store.get('a', { signal, from: 5, until: 10 });
    assert.equal(blob?.info.bytes, 700_000);
    await blob.body[Symbol.asyncIterator]().return?.();
  });

  it('a read that begins behind the end is refused', async () => {
    await using under = await open();
    const { store } = under;
    await store.put('a', noise(10), { signal });
    await refuses('object-corrupt', () => store.get('a', { signal, from: 11 }));
  });

  it('a read that goes on with another version is refused', async () => {
    await using under = await open();
    const { store } = under;
    await store.put('a', Buffer.from('first!'), { signal });
    const version = (await store.stat('a', { signal }))?.version ?? '';
    assert.deepEqual(await contentOf(store, 'a', { version, from: 2 }), Buffer.from('rst!'));
    await store.put('a', Buffer.from('second'), { signal });
    await refuses('object-corrupt', () => store.get('a', { signal, version, from: 2 }));
    await refuses('object-corrupt', () => store.get('a', { signal, version, from: 6 }));
  });

  it('a version is the same from stat, get and list', async () => {
    await using under = await open();
    const { store } = under;
    await store.put('a', Buffer.from('x'), { signal });
    const blob = await store.get('a', { signal });
    await blob?.body[Symbol.asyncIterator]().return?.();
    assert.deepEqual(blob?.info, await store.stat('a', { signal }));
    for await (const info of store.list('', { signal })) {
      assert.equal(info.version, blob?.info.version);
      assert.equal(info.bytes, 1);
    }
  });

  it('a body may be left before, in the middle of and after its end', async () => {
    await using under = await open();
    const { store } = under;
    await store.put('a', noise(3_000_000), { signal });
    for (let round = 0; round < 60; round += 1) {
      const blob = await store.get('a', { signal });
      const iterator = blob?.body[Symbol.asyncIterator]();
      for (let chunk = 0; chunk < round % 3; chunk += 1) await iterator?.next();
      await iterator?.return?.();
      await iterator?.return?.();
      assert.equal((await iterator?.next())?.done, true);
    }
  });

  it('a chunk belongs to the reader and is of bounded size', async () => {
    await using under = await open();
    const { store } = under;
    const content = noise(2_000_000);
    await store.put('a', content, { signal });
    const chunks: Uint8Array[] = [];
    const blob = await store.get('a', { signal });
    for await (const chunk of blob?.body ?? []) {
      assert.ok(chunk.length <= 256 * 1024, `a chunk of ${chunk.length} bytes`);
      chunks.push(chunk);
    }
    assert.deepEqual(Buffer.concat(chunks), content);
  });
}
