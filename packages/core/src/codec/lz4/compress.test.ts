import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { chunked } from '../../stream/chunked.ts';
import { collect } from '../../stream/collect.ts';
import { type SampleKind, sampleBytes } from '../../stream/sample-bytes.ts';
import { pipe, sourceOf } from '../../stream/source.ts';
import { lz4Compress } from './compress.ts';
import { lz4Decompress } from './decompress.ts';

const MAX = { maxBytes: 64 << 20, what: 'the test' };
const MIB4 = 4 << 20;
const UNCOMPRESSED = 0x80000000;

const compress = (plain: Uint8Array): Promise<Buffer> => collect(lz4Compress(sourceOf(plain)), MAX);

/** Size fields of all blocks of a frame without block checksums, the end mark included. */
function sizeFields(frame: Buffer): number[] {
  const fields: number[] = [];
  let at = 7;
  do {
    const field = frame.readUInt32LE(at);
    fields.push(field);
    at += 4 + (field & 0x7fffffff);
  } while (fields.at(-1) !== 0);
  assert.equal(at + 4, frame.length, 'one checksum and nothing else follows the end mark');
  return fields;
}

describe('lz4Compress', () => {
  it('makes the 15 bytes that WAL-G makes of nothing', async () => {
    const expected = '04224d186470b900000000055dcc02';
    assert.equal((await compress(Buffer.alloc(0))).toString('hex'), expected);
    assert.equal((await collect(lz4Compress(sourceOf()), MAX)).toString('hex'), expected);
  });

  it('begins with the header that WAL-G writes', async () => {
    const frame = await compress(Buffer.from('content'));
    assert.equal(frame.subarray(0, 7).toString('hex'), '04224d186470b9');
  });

  it('is read back the same, whatever the content, its length and how it was cut', async () => {
    const near = (bytes: number): fc.Arbitrary<number> =>
      fc.integer({ min: -2, max: 2 }).map((off) => Math.max(0, bytes + off));
    const lengths = fc.oneof(
      fc.nat(20_000),
      ...[0, 8192, 65_536, 262_144, MIB4, 2 * MIB4].map((bytes) => near(bytes)),
    );
    const kinds = fc.constantFrom<SampleKind>('zeros', 'records', 'noise', 'mixed');
    const sizes = fc.array(fc.integer({ min: 1, max: 3 << 20 }), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(kinds, lengths, sizes, async (kind, length, cuts) => {
        const plain = sampleBytes(kind, length);
        const source = chunked(plain, length > 100_000 ? [...cuts, 1 << 18] : [0, ...cuts]);
        assert.ok((await collect(pipe(source, lz4Compress, lz4Decompress), MAX)).equals(plain));
      }),
      { numRuns: 40 },
    );
  });

  it('writes no empty block after content of a multiple of 4 MiB', async () => {
    for (const kind of ['zeros', 'noise'] as const) {
      const fields = sizeFields(await compress(sampleBytes(kind, 4 * MIB4)));
      assert.equal(fields.indexOf(0), fields.length - 1);
      assert.ok(!fields.includes(UNCOMPRESSED));
    }
  });

  it('stores what does not get smaller as it is', async () => {
    const plain = sampleBytes('noise', 600_000);
    const frame = await compress(plain);
    const fields = sizeFields(frame);
    assert.ok(fields.slice(0, -1).every((field) => field >= UNCOMPRESSED));
    assert.equal(frame.length, 15 + 4 * (fields.length - 1) + plain.length);
  });

  it('makes the same frame however its input is cut', async () => {
    const plain = sampleBytes('mixed', 700_000);
    const whole = await compress(plain);
    assert.ok((await collect(lz4Compress(chunked(plain, [1000, 7, 300_000])), MAX)).equals(whole));
  });

  it('gives chunks that own all of their memory', async () => {
    for await (const chunk of lz4Compress(sourceOf(sampleBytes('mixed', 600_000)))) {
      assert.equal(chunk.byteLength, chunk.buffer.byteLength);
    }
  });

  it('leaves its source when its consumer leaves', async () => {
    let left = false;
    async function* source(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) yield sampleBytes('noise', 400_000);
      } finally {
        left = true;
      }
    }
    let chunks = 0;
    for await (const chunk of lz4Compress(source())) {
      chunks += chunk.length > 0 ? 1 : 0;
      if (chunks === 2) break;
    }
    assert.ok(left);
  });
});
