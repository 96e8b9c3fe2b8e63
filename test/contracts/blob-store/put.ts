import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { OpenStore } from '../blob-store.ts';
import { contentOf, keysOf, noise, refuses, signal } from './helpers.ts';

export function putContract(open: OpenStore): void {
  it('an object that was put comes back as it was', async () => {
    await using under = await open();
    const { store } = under;
    const before = Date.now();
    for (const bytes of [0, 1, 300_000]) {
      const key = `basebackups_005/x/of-${bytes}.bin`;
      const content = noise(bytes);
      assert.equal(await store.put(key, content, { signal }), 'stored');
      assert.deepEqual(await contentOf(store, key), content);
      const info = await store.stat(key, { signal });
      assert.equal(info?.key, key);
      assert.equal(info.bytes, bytes);
      const age = Number(info.modified / 1_000_000n) - before;
      assert.ok(Math.abs(age) < 120_000, `modified ${age} ms after it was written`);
    }
  });

  it('a second put replaces the object', async () => {
    await using under = await open();
    const { store } = under;
    await store.put('a/b', Buffer.from('first'), { signal });
    const first = await store.stat('a/b', { signal });
    assert.equal(await store.put('a/b', Buffer.from('again'), { signal }), 'stored');
    const again = await store.stat('a/b', { signal });
    assert.deepEqual(await contentOf(store, 'a/b'), Buffer.from('again'));
    assert.notEqual(first?.version, again?.version);
  });

  it('a put if absent leaves what exists alone', async () => {
    await using under = await open();
    const { store } = under;
    const ifAbsent = true;
    assert.equal(await store.put('a/b', Buffer.from('one'), { signal, ifAbsent }), 'stored');
    const before = await store.stat('a/b', { signal });
    assert.equal(await store.put('a/b', Buffer.from('two'), { signal, ifAbsent }), 'exists');
    assert.equal(await store.put('a/b', Buffer.from('one'), { signal, ifAbsent }), 'exists');
    assert.deepEqual(await store.stat('a/b', { signal }), before);
    assert.deepEqual(await contentOf(store, 'a/b'), Buffer.from('one'));
  });

  it('of many puts if absent at once exactly one is stored', async () => {
    await using under = await open();
    const { store } = under;
    for (const round of ['a', 'b', 'c', 'd', 'e']) {
      const key = `wal_005/${round}`;
      const contents = Array.from({ length: 12 }, (_, index) => noise(20_000, index + 1));
      const outcomes = await Promise.all(
        contents.map((content) =>
          untilDecided(() => store.put(key, content, { signal, ifAbsent: true })),
        ),
      );
      const winners = contents.filter((_, index) => outcomes[index] === 'stored');
      assert.equal(winners.length, 1, `${winners.length} puts were stored`);
      assert.deepEqual(await contentOf(store, key), winners[0]);
    }
    assert.equal((await keysOf(store)).length, 5);
  });

  it('a name that leads elsewhere is refused by every operation', async () => {
    await using under = await open();
    const { store } = under;
    for (const key of ['', '/a', 'a/', 'a//b', '../a', 'a/../../b', 'a/.', 'a\0b', 'a\nb']) {
      await refuses('unsafe-name', () => store.put(key, Buffer.from('x'), { signal }));
      await refuses('unsafe-name', () => store.upload(key, { signal }));
      await refuses('unsafe-name', () => store.stat(key, { signal }));
      await refuses('unsafe-name', () => store.get(key, { signal }));
      await refuses('unsafe-name', () => store.remove(key, { signal }));
      if (key !== '' && key !== 'a/') await refuses('unsafe-name', () => keysOf(store, `${key}/`));
    }
    assert.deepEqual(await keysOf(store), []);
  });

  it('a name with unusual characters is like any other', async () => {
    await using under = await open();
    const { store } = under;
    const keys = [
      'a b',
      'a+b',
      'a%2Fb',
      'a&b=c',
      'a~b',
      "a'b(c)!*",
      'a:b@c,d;e',
      'ü/ß',
      'x/𝄞',
      '<a>"?#',
    ];
    for (const key of keys) {
      assert.equal(
        await store.put(key, Buffer.from(key), { signal, ifAbsent: true }),
        'stored',
        key,
      );
    }
    for (const key of keys) {
      assert.deepEqual(await contentOf(store, key), Buffer.from(key));
      assert.equal((await store.stat(key, { signal }))?.key, key);
    }
    const sorted = keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    assert.deepEqual(await keysOf(store), sorted);
    for (const key of keys) await store.remove(key, { signal });
    assert.deepEqual(await keysOf(store), []);
  });
}

/** S3 may answer 409 to one of several writers at the same moment: that one tries again. */
async function untilDecided(put: () => Promise<string>): Promise<string> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await put();
    } catch (error) {
      const again = error instanceof Error && 'retry' in error && error.retry === true;
      if (!again || attempt === 20) throw error;
    }
  }
}
