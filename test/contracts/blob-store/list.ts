import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { BlobStore } from '@tsbk/core/ports/blob-store';
import type { OpenStore } from '../blob-store.ts';
import { foldersOf, keysOf, refuses, signal } from './helpers.ts';

async function fill(store: BlobStore, keys: readonly string[]): Promise<void> {
  await Promise.all(keys.map((key) => store.put(key, Buffer.from(key), { signal })));
}

export function listContract(open: OpenStore): void {
  it('a list is sorted by the bytes of its keys, folders among them', async () => {
    await using under = await open();
    const sorted = ['a-b', 'a.b/x', 'a/1', 'a/10', 'a/2/x', 'a/3', 'a0', 'b', 'é', '\uffee', '𝄞'];
    await fill(under.store, sorted.toReversed());
    assert.deepEqual(await keysOf(under.store), sorted);
  });

  it('a list holds what is below its prefix and nothing beside it', async () => {
    await using under = await open();
    await fill(
      under.store,
      ['wal/a', 'wal/b/c', 'wal', 'wal2/a', 'wa/a'].filter((key) => key !== 'wal'),
    );
    assert.deepEqual(await keysOf(under.store, 'wal/'), ['wal/a', 'wal/b/c']);
    assert.deepEqual(await keysOf(under.store, 'wal/b/'), ['wal/b/c']);
    assert.deepEqual(await keysOf(under.store, 'none/'), []);
    assert.deepEqual(await keysOf(under.store, 'wal/a/'), []);
    await refuses('unsafe-name', () => keysOf(under.store, 'wal'));
  });

  it('a shallow list leaves out what is in folders', async () => {
    await using under = await open();
    await fill(under.store, ['p/a', 'p/b/c', 'p/b.x', 'p/d', 'q']);
    assert.deepEqual(await keysOf(under.store, 'p/', { shallow: true }), ['p/a', 'p/b.x', 'p/d']);
    assert.deepEqual(await keysOf(under.store, '', { shallow: true }), ['q']);
  });

  it('a list can begin after any key', async () => {
    await using under = await open();
    const keys = ['a/1', 'a/2/x', 'a/2/y', 'a/3', 'b/1', 'c'];
    await fill(under.store, keys);
    for (const after of ['', 'a', 'a/1', 'a/2/', 'a/2/x', 'a/2/z', 'a/3', 'b', 'b/0', 'c', 'd']) {
      const expected = keys.filter((key) => key > after);
      assert.deepEqual(await keysOf(under.store, '', { after }), expected, `after ${after}`);
    }
    assert.deepEqual(await keysOf(under.store, 'a/', { after: 'a/2/x' }), ['a/2/y', 'a/3']);
    const shallow = await keysOf(under.store, 'a/', { after: 'a/1', shallow: true });
    assert.deepEqual(shallow, ['a/3']);
  });

  it('a list of more than one page is complete', async () => {
    await using under = await open();
    const keys = Array.from({ length: 57 }, (_, index) => `f/${String(index).padStart(3, '0')}`);
    await fill(under.store, [...keys, 'f/sub/a', 'g/a', 'h/a']);
    assert.deepEqual(await keysOf(under.store, 'f/', { shallow: true }), keys);
    assert.deepEqual(await keysOf(under.store), [...keys, 'f/sub/a', 'g/a', 'h/a']);
    assert.deepEqual(await foldersOf(under.store), ['f', 'g', 'h']);
  });

  it('folders are named once, in the order of their keys, and only if they hold an object', async () => {
    await using under = await open();
    const { store } = under;
    await fill(store, ['p/a/1', 'p/a/2', 'p/b/c/d', 'p/a.x/1', 'p/file', 'q/z']);
    assert.deepEqual(await foldersOf(store, 'p/'), ['a.x', 'a', 'b']);
    assert.deepEqual(await foldersOf(store), ['p', 'q']);
    assert.deepEqual(await foldersOf(store, 'p/file/'), []);
    await store.remove('q/z', { signal });
    assert.deepEqual(await foldersOf(store), ['p']);
  });

  it('a removed object is gone, and removing it again succeeds', async () => {
    await using under = await open();
    const { store } = under;
    await fill(store, ['p/a', 'p/b']);
    await store.remove('p/a', { signal });
    await store.remove('p/a', { signal });
    await store.remove('never/there', { signal });
    assert.equal(await store.stat('p/a', { signal }), undefined);
    assert.deepEqual(await keysOf(store), ['p/b']);
    await store.remove('p', { signal });
    assert.deepEqual(await keysOf(store), ['p/b']);
  });
}
