import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { UploadPart } from '@tsbk/core/ports/blob-store';
import type { OpenStore } from '../blob-store.ts';
import { contentOf, foldersOf, keysOf, noise, signal, unfinishedOf } from './helpers.ts';

const PART = 5 * 1024 * 1024;
const content = noise(2 * PART + 1234);

/** Content cut into three parts, the last one short. */
function parts(of: Buffer = content): UploadPart[] {
  return [0, 1, 2].map((index) => ({
    number: index + 1,
    offset: index * PART,
    bytes: of.subarray(index * PART, (index + 1) * PART),
  }));
}

export function uploadContract(open: OpenStore): void {
  it('an upload is invisible until it is complete, in whatever order its parts come', async () => {
    await using under = await open();
    const { store } = under;
    const upload = await store.upload('deep/down/a', { signal, ifAbsent: true });
    await Promise.all(
      parts()
        .toReversed()
        .map((part) => upload.part(part, { signal })),
    );
    assert.equal(await store.stat('deep/down/a', { signal }), undefined);
    assert.equal(await store.get('deep/down/a', { signal }), undefined);
    assert.deepEqual(await keysOf(store), []);
    assert.deepEqual(await foldersOf(store), []);
    assert.equal(await upload.complete({ signal }), 'stored');
    assert.deepEqual(await contentOf(store, 'deep/down/a'), content);
    assert.deepEqual(await keysOf(store), ['deep/down/a']);
    assert.deepEqual(await unfinishedOf(store), []);
  });

  it('an upload of a single part is an object too', async () => {
    await using under = await open();
    const upload = await under.store.upload('a', { signal });
    await upload.part({ number: 1, offset: 0, bytes: Buffer.from('tiny') }, { signal });
    assert.equal(await upload.complete({ signal }), 'stored');
    assert.deepEqual(await contentOf(under.store, 'a'), Buffer.from('tiny'));
  });

  it('a part that is sent again replaces the first', async () => {
    await using under = await open();
    const upload = await under.store.upload('a', { signal });
    for (const part of parts(noise(content.length, 7))) await upload.part(part, { signal });
    for (const part of parts()) await upload.part(part, { signal });
    await upload.complete({ signal });
    assert.deepEqual(await contentOf(under.store, 'a'), content);
  });

  it('a last part that is sent again may be shorter', async () => {
    await using under = await open();
    const upload = await under.store.upload('a', { signal });
    for (const bytes of [noise(1000, 7), noise(10)]) {
      await upload.part({ number: 1, offset: 0, bytes }, { signal });
    }
    await upload.complete({ signal });
    assert.deepEqual(await contentOf(under.store, 'a'), noise(10));
  });

  it('an upload if absent leaves what exists alone', async () => {
    await using under = await open();
    const { store } = under;
    const upload = await store.upload('a', { signal, ifAbsent: true });
    for (const part of parts()) await upload.part(part, { signal });
    await store.put('a', Buffer.from('earlier'), { signal });
    assert.equal(await upload.complete({ signal }), 'exists');
    await upload.abort({ signal });
    assert.deepEqual(await contentOf(store, 'a'), Buffer.from('earlier'));
    assert.deepEqual(await unfinishedOf(store), []);
  });

  it('an upload without that replaces what exists', async () => {
    await using under = await open();
    const { store } = under;
    await store.put('a', Buffer.from('earlier'), { signal });
    const upload = await store.upload('a', { signal });
    for (const part of parts()) await upload.part(part, { signal });
    assert.equal(await upload.complete({ signal }), 'stored');
    assert.deepEqual(await contentOf(store, 'a'), content);
  });

  it('an upload may be completed again', async () => {
    await using under = await open();
    const upload = await under.store.upload('a', { signal, ifAbsent: true });
    for (const part of parts()) await upload.part(part, { signal });
    assert.equal(await upload.complete({ signal }), 'stored');
    assert.equal(await upload.complete({ signal }), 'stored');
    await upload.abort({ signal });
    assert.deepEqual(await contentOf(under.store, 'a'), content);
  });

  it('an upload that is aborted leaves nothing', async () => {
    await using under = await open();
    const { store } = under;
    const upload = await store.upload('deep/a', { signal });
    const [first, second] = parts();
    assert.ok(first && second);
    await upload.part(second, { signal });
    await upload.part(first, { signal });
    await upload.abort({ signal });
    await upload.abort({ signal });
    assert.deepEqual(await keysOf(store), []);
    assert.deepEqual(await unfinishedOf(store), []);
    await assert.rejects(upload.complete({ signal }));
    assert.equal(await store.stat('deep/a', { signal }), undefined);
  });

  it('an unfinished upload can be found and discarded', async () => {
    await using under = await open();
    const { store } = under;
    const upload = await store.upload('x/a+b', { signal });
    const other = await store.upload('y/b', { signal });
    const [first] = parts();
    assert.ok(first);
    await upload.part(first, { signal });
    assert.deepEqual(await unfinishedOf(store), ['x/a+b', 'y/b']);
    assert.deepEqual(await unfinishedOf(store, 'z/'), []);
    for await (const found of store.unfinished('x/', { signal })) {
      const age = Date.now() - Number(found.started / 1_000_000n);
      assert.ok(Math.abs(age) < 120_000, `begun ${age} ms ago`);
      await found.discard({ signal });
      await found.discard({ signal });
    }
    assert.deepEqual(await unfinishedOf(store), ['y/b']);
    await assert.rejects(upload.complete({ signal }));
    assert.equal(await store.stat('x/a+b', { signal }), undefined);
    await upload.abort({ signal });
    await other.abort({ signal });
  });

  it('an upload with a missing part is refused', async () => {
    await using under = await open();
    const { store } = under;
    const upload = await store.upload('a', { signal });
    const [first, , third] = parts();
    assert.ok(first && third);
    await upload.part(first, { signal });
    await upload.part(third, { signal });
    await assert.rejects(upload.complete({ signal }));
    await upload.abort({ signal });
    assert.equal(await store.stat('a', { signal }), undefined);
  });
}
