import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { OpenStore } from '../blob-store.ts';
import { foldersOf, keysOf, refuses, signal, unfinishedOf } from './helpers.ts';

export function absenceContract(open: OpenStore): void {
  it('a key that does not exist is undefined', async () => {
    await using under = await open();
    const { store } = under;
    await store.put('p/a', Buffer.from('x'), { signal });
    for (const key of ['nothing', 'p/b', 'p', 'q/a/b/c', 'p/a/b']) {
      assert.equal(await store.stat(key, { signal }), undefined, key);
      assert.equal(await store.get(key, { signal }), undefined, key);
    }
  });

  it('a store that does not exist is an error for every operation', async () => {
    await using under = await open();
    const { missing } = under;
    await refuses('store-missing', () => missing.stat('a', { signal }));
    await refuses('store-missing', () => missing.get('a', { signal }));
    await refuses('store-missing', () => missing.put('a', Buffer.from('x'), { signal }));
    await refuses('store-missing', () => missing.upload('a', { signal }));
    await refuses('store-missing', () => keysOf(missing));
    await refuses('store-missing', () => foldersOf(missing));
    await refuses('store-missing', () => unfinishedOf(missing));
    await refuses('store-missing', () => missing.remove('a', { signal }));
  });
}
