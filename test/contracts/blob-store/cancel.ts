import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { OpenStore } from '../blob-store.ts';
import { foldersOf, keysOf, noise, signal, unfinishedOf } from './helpers.ts';

class Cancelled extends Error {}

async function isCancelled(action: () => Promise<unknown>): Promise<void> {
  await assert.rejects(async () => action(), Cancelled);
}

export function cancelContract(open: OpenStore): void {
  it('an aborted signal ends every operation with its own reason', async () => {
    await using under = await open();
    const { store } = under;
    await store.put('a', noise(10), { signal });
    const upload = await store.upload('b', { signal });
    const aborted = { signal: AbortSignal.abort(new Cancelled()) };
    await isCancelled(() => store.stat('a', aborted));
    await isCancelled(() => store.get('a', aborted));
    await isCancelled(() => store.put('c', noise(10), aborted));
    await isCancelled(() => store.upload('c', aborted));
    await isCancelled(() => upload.part({ number: 1, offset: 0, bytes: noise(10) }, aborted));
    await isCancelled(() => upload.complete(aborted));
    await isCancelled(() => store.remove('a', aborted));
    await isCancelled(() => store.list('', aborted)[Symbol.asyncIterator]().next());
    await isCancelled(() => store.folders('', aborted)[Symbol.asyncIterator]().next());
    await isCancelled(() => store.unfinished('', aborted)[Symbol.asyncIterator]().next());
    await upload.abort({ signal });
    assert.deepEqual(await keysOf(store), ['a']);
    assert.deepEqual(await foldersOf(store), []);
    assert.deepEqual(await unfinishedOf(store), []);
  });

  it('an abort in the middle of a body ends it with the reason', async () => {
    await using under = await open();
    const { store } = under;
    await store.put('a', noise(4_000_000), { signal });
    const controller = new AbortController();
    const blob = await store.get('a', { signal: controller.signal });
    const iterator = blob?.body[Symbol.asyncIterator]();
    await iterator?.next();
    controller.abort(new Cancelled());
    await isCancelled(async () => {
      while ((await iterator?.next())?.done === false);
    });
  });

  it('an abort while an object is put leaves the whole object or none', async () => {
    await using under = await open();
    const { store } = under;
    const bytes = noise(4_000_000);
    for (let round = 0; round < 12; round += 1) {
      const controller = new AbortController();
      const put = store.put(`a${round}`, bytes, { signal: controller.signal });
      setTimeout(() => controller.abort(new Cancelled()), round);
      try {
        assert.equal(await put, 'stored');
      } catch (error) {
        assert.ok(error instanceof Cancelled, String(error));
      }
    }
    for await (const info of store.list('', { signal })) assert.equal(info.bytes, bytes.length);
    assert.deepEqual(await unfinishedOf(store), []);
  });
}
