import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { OpenStore } from '../blob-store.ts';
import { refuses, signal } from './helpers.ts';

export function confirmContract(open: OpenStore): void {
  it('confirm tells an object that is there from one that is not', async () => {
    await using under = await open();
    const { store } = under;
    assert.equal(await store.confirm('folder/a', { signal }), false);
    await store.put('folder/a', Buffer.from('x'), { signal, ifAbsent: true });
    assert.equal(await store.confirm('folder/a', { signal }), true);
    assert.equal(await store.confirm('folder/b', { signal }), false);
    await store.remove('folder/a', { signal });
    assert.equal(await store.confirm('folder/a', { signal }), false);
  });

  it('confirm of a store that does not exist is an error', async () => {
    await using under = await open();
    await refuses('store-missing', () => under.missing.confirm('a', { signal }));
  });
}
