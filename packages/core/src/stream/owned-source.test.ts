import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { collect } from './collect.ts';
import { ownedSource } from './owned-source.ts';

async function* chunks(fail = false): AsyncGenerator<Uint8Array> {
  yield Buffer.from('a');
  if (fail) throw new Error('broken');
  yield Buffer.from('b');
}

describe('an owned source', () => {
  it('releases once after its end', async () => {
    let released = 0;
    const source = ownedSource(chunks(), () => (released += 1));
    const got: string[] = [];
    for await (const chunk of source) got.push(Buffer.from(chunk).toString());
    assert.deepEqual(got, ['a', 'b']);
    assert.equal(released, 1);
  });

  it('releases when it is left before the first chunk', async () => {
    let released = 0;
    const iterator = ownedSource(chunks(), () => (released += 1))[Symbol.asyncIterator]();
    await iterator.return?.();
    await iterator.return?.();
    assert.equal(released, 1);
  });

  it('releases when it is left in the middle', async () => {
    let released = 0;
    for await (const _ of ownedSource(chunks(), () => (released += 1))) break;
    assert.equal(released, 1);
  });

  it('releases when it fails, and throws what failed', async () => {
    let released = 0;
    const source = ownedSource(chunks(true), () => (released += 1));
    await assert.rejects(collect(source, { maxBytes: 10, what: 'it' }), /broken/);
    assert.equal(released, 1);
  });
});
