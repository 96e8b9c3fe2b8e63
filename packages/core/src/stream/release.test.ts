import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { lent, release } from './release.ts';
import { sourceOf } from './source.ts';

const canTransfer = typeof ArrayBuffer.prototype.transfer === 'function';

describe('release', () => {
  it('takes the memory of bytes that have it to themselves, and of no others', () => {
    const own = new Uint8Array(100);
    const view = new Uint8Array(100).subarray(0, 99);
    const shared = new Uint8Array(new SharedArrayBuffer(100));
    for (const bytes of [own, view, shared]) release(bytes);
    assert.deepEqual([own.length, view.length, shared.length], [canTransfer ? 0 : 100, 99, 100]);
  });

  it('comes for a lent chunk when the next one is asked for', async () => {
    const chunks = [1, 2, 3].map((byte) => new Uint8Array(10).fill(byte));
    const seen: Uint8Array[] = [];
    for await (const chunk of lent(sourceOf(...chunks))) {
      assert.equal(chunk.length, 10);
      assert.ok(seen.every(({ length }) => length === (canTransfer ? 0 : 10)));
      seen.push(chunk);
    }
    assert.equal(seen.length, 3);
  });
});
