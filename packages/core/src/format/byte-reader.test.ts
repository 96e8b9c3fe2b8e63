import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { sourceOf } from '../stream/source.ts';
import { ByteReader } from './byte-reader.ts';

describe('ByteReader', () => {
  it('gives the bytes of the source whatever its chunks and the sizes asked for', async () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1 });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 10 })), sizes, async (chunks, asked) => {
        const reader = new ByteReader(sourceOf(...chunks));
        const seen: number[] = [];
        for (let turn = 0; ; turn += 1) {
          const piece = await reader.take(asked[turn % asked.length] ?? 1);
          if (piece.length === 0) break;
          seen.push(...piece);
        }
        assert.deepEqual(
          seen,
          chunks.flatMap((chunk) => [...chunk]),
        );
      }),
    );
  });

  it('gives views of a chunk without copying it', async () => {
    const chunk = Uint8Array.of(1, 2, 3, 4);
    const reader = new ByteReader(sourceOf(chunk));
    const head = await reader.take(1);
    const rest = await reader.some(10);
    assert.equal(head.buffer, chunk.buffer);
    assert.equal(rest?.buffer, chunk.buffer);
    assert.deepEqual(rest, Uint8Array.of(2, 3, 4));
    assert.equal(await reader.some(10), undefined);
  });

  it('says what it holds already, and nothing of what it would have to wait for', async () => {
    const chunk = Uint8Array.of(1, 2, 3, 4);
    const reader = new ByteReader(sourceOf(chunk, Uint8Array.of(5, 6)));
    assert.equal(reader.buffered(1), undefined);
    assert.deepEqual(await reader.take(1), Uint8Array.of(1));
    assert.equal(reader.buffered(4), undefined);
    assert.equal(reader.buffered(3)?.buffer, chunk.buffer);
    assert.deepEqual(await reader.take(9), Uint8Array.of(5, 6));
  });

  it('leaves a source that has not ended, once', async () => {
    let returned = 0;
    const source = {
      [Symbol.asyncIterator]: () => ({
        next: async () => ({ done: false as const, value: Uint8Array.of(1) }),
        return: async () => {
          returned += 1;
          return { done: true as const, value: undefined };
        },
      }),
    };
    const reader = new ByteReader(source);
    await reader.take(1);
    await reader.close();
    await reader.close();
    assert.equal(returned, 1);
    assert.equal(await reader.some(1), undefined);
  });

  it('does not go on after the source has failed', async () => {
    const failing = async function* (): AsyncGenerator<Uint8Array> {
      yield Uint8Array.of(1);
      throw new Error('cut');
    };
    const reader = new ByteReader(failing());
    await assert.rejects(reader.take(2), /cut/);
    assert.equal(await reader.some(1), undefined);
  });
});
