import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { brotliCompressSync, brotliDecompressSync } from 'node:zlib';
import fc from 'fast-check';
import { isTsbkError } from '../kernel/errors.ts';
import { chunked } from '../stream/chunked.ts';
import { collect } from '../stream/collect.ts';
import { type SampleKind, sampleBytes } from '../stream/sample-bytes.ts';
import { pipe, sourceOf } from '../stream/source.ts';
import { brotliCompress, brotliDecompress } from './brotli.ts';

const MAX = { maxBytes: 64 << 20, what: 'the test' };

function refuses(bytes: Uint8Array, problem: RegExp): Promise<void> {
  return assert.rejects(collect(brotliDecompress(sourceOf(bytes)), MAX), (error: Error) => {
    assert.ok(isTsbkError(error, 'object-corrupt'), String(error));
    assert.match(error.message, problem);
    return true;
  });
}

describe('brotli', () => {
  it('reads back what was compressed, whatever its length and however it was cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom<SampleKind>('zeros', 'records', 'noise', 'mixed'),
        fc.oneof(fc.nat(200_000), fc.constantFrom(0, 1, 8192, 1 << 20)),
        fc.array(fc.integer({ min: 1, max: 200_000 }), { minLength: 1, maxLength: 3 }),
        async (kind, length, sizes) => {
          const plain = sampleBytes(kind, length);
          const cuts = [...sizes, length >> 3];
          const stored = await collect(brotliCompress(chunked(plain, cuts)), MAX);
          assert.ok(brotliDecompressSync(stored).equals(plain));
          const read = await collect(pipe(chunked(stored, cuts), brotliDecompress), MAX);
          assert.ok(read.equals(plain));
        },
      ),
      { numRuns: 30 },
    );
  });

  it('refuses data without a stream and data cut off at any byte', async () => {
    for (const plain of [Buffer.alloc(0), sampleBytes('records', 2000), Buffer.from('short')]) {
      const whole = brotliCompressSync(plain);
      for (let length = 0; length < whole.length; length += 1) {
        await refuses(whole.subarray(0, length), /unexpected end of file/);
      }
    }
  });

  it('refuses bytes after the stream, a second stream included', async () => {
    const whole = brotliCompressSync('content');
    for (const rest of [Buffer.alloc(1), whole, Buffer.alloc(100_000)]) {
      await refuses(Buffer.concat([whole, rest]), /there are bytes after its end/);
    }
  });

  it('refuses what is no brotli', async () => {
    await refuses(Buffer.alloc(100, 0xff), /./);
  });

  it('gives a large expansion in pieces', async () => {
    const bytes = brotliCompressSync(Buffer.alloc(48 << 20));
    let total = 0;
    for await (const chunk of brotliDecompress(sourceOf(bytes))) {
      assert.ok(chunk.length <= 1 << 20, `${chunk.length} bytes at once`);
      total += chunk.length;
    }
    assert.equal(total, 48 << 20);
  });
});
