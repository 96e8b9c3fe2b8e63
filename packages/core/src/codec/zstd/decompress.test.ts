import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isTsbkError } from '../../kernel/errors.ts';
import type { ByteStage } from '../../ports/bytes.ts';
import { chunked } from '../../stream/chunked.ts';
import { collect } from '../../stream/collect.ts';
import { type SampleKind, sampleBytes } from '../../stream/sample-bytes.ts';
import { sourceOf } from '../../stream/source.ts';
import { zstdCompress } from './compress.ts';
import { zstdDecompress, zstdDecompressBy } from './decompress.ts';
import { decompressFramePortably } from './portable-frame.ts';

const MAX = { maxBytes: 64 << 20, what: 'the test' };
const SKIPPABLE = Buffer.concat([Buffer.from('5f2a4d1804000000', 'hex'), Buffer.from('meta')]);
const EMPTY_SKIPPABLE = Buffer.from('502a4d1800000000', 'hex');

const compress = (plain: Uint8Array, level = 3): Promise<Buffer> =>
  collect(zstdCompress(level)(sourceOf(plain)), MAX);

/** Fields of a frame of raw blocks: descriptor and what follows it, blocks. */
const frame = (fields: string, ...blocks: readonly string[]): Buffer =>
  Buffer.from(`28b52ffd${fields}${blocks.join('')}`, 'hex');

const portable: ByteStage = (source) => zstdDecompressBy(decompressFramePortably, source);

for (const [title, stage] of [
  ['zstdDecompress', zstdDecompress],
  ['zstdDecompress without native zstd', portable],
] as const) {
  const decompress = (bytes: Uint8Array): Promise<Buffer> => collect(stage(sourceOf(bytes)), MAX);
  const refuses = (bytes: Uint8Array, problem: RegExp): Promise<void> =>
    assert.rejects(decompress(bytes), (error: Error) => {
      assert.ok(isTsbkError(error, 'object-corrupt'), String(error.stack));
      assert.match(error.message, problem);
      return true;
    });

  describe(title, () => {
    it('reads back what was compressed, whatever its length and however it was cut', async () => {
      const lengths = fc.oneof(
        fc.nat(3000),
        fc.nat(400_000),
        fc.constantFrom(0, 1, 8192, 131_071, 131_072, 131_073, 1 << 20),
      );
      const kinds = fc.constantFrom<SampleKind>('zeros', 'records', 'noise', 'mixed');
      const pieces = fc.array(fc.integer({ min: 1, max: 200_000 }), { minLength: 1, maxLength: 3 });
      const levels = fc.constantFrom(1, 3, 7);
      await fc.assert(
        fc.asyncProperty(kinds, lengths, pieces, levels, async (kind, length, sizes, level) => {
          const plain = sampleBytes(kind, length);
          const cuts = [...sizes, length >> 3];
          const stored = await collect(zstdCompress(level)(chunked(plain, cuts)), MAX);
          assert.ok((await collect(stage(chunked(stored, cuts)), MAX)).equals(plain));
        }),
        { numRuns: 25 },
      );
    });

    it('reads all frames of an object, in one chunk and in many', async () => {
      const one = await compress(Buffer.from('one '));
      const two = await compress(sampleBytes('mixed', 300_000));
      const bytes = Buffer.concat([
        SKIPPABLE,
        one,
        SKIPPABLE,
        EMPTY_SKIPPABLE,
        two,
        one,
        SKIPPABLE,
      ]);
      const expected = Buffer.concat([
        Buffer.from('one '),
        sampleBytes('mixed', 300_000),
        Buffer.from('one '),
      ]);
      for (const cut of [1, 13, 5000, bytes.length]) {
        assert.ok((await collect(stage(chunked(bytes, [cut])), MAX)).equals(expected));
      }
    });

    it('reads raw and run-length blocks and frames without checksum or length', async () => {
      const raw = frame('0048', '280000', '68656c6c6f', '03010061');
      await refuses(frame('0048', '280000', '68656c6c6f'), /ends in the middle of a frame/);
      assert.equal((await decompress(raw)).toString(), `hello${'a'.repeat(32)}`);
    });

    it('refuses data without a frame', async () => {
      await refuses(Buffer.alloc(0), /holds no frame/);
      await refuses(SKIPPABLE, /holds no frame/);
      await refuses(Buffer.from('plain text'), /does not begin with a frame/);
      await refuses(Buffer.from('28b52f', 'hex'), /does not begin with a frame/);
    });

    it('refuses bytes after a frame', async () => {
      const whole = await compress(Buffer.from('content'));
      for (const rest of ['00', '00000000', '28b52f', '0011223344556677']) {
        const bytes = Buffer.concat([whole, Buffer.from(rest, 'hex')]);
        await refuses(bytes, /what follows a frame is not another one/);
      }
    });

    it('refuses a frame with a wrong checksum or length', async () => {
      const wrong = await compress(Buffer.from('content'));
      wrong[wrong.length - 1] = (wrong.at(-1) ?? 0) ^ 1;
      await refuses(wrong, /./);
      await refuses(frame('2006', '290000', '68656c6c6f'), /./);
    });

    it('refuses a frame that needs a dictionary, and takes dictionary zero for none', async () => {
      await refuses(frame('014807', '010000'), /needs a dictionary/);
      assert.equal((await decompress(frame('014800', '010000'))).length, 0);
    });

    it('refuses a window above 128 MiB and takes one of 128 MiB', async () => {
      await refuses(frame('0089', '010000'), /more than 128 MiB/);
      await refuses(frame('00ff', '010000'), /more than 128 MiB/);
      await refuses(frame('e0ffffffffffffff7f', '010000'), /more than 128 MiB/);
      assert.equal((await decompress(frame('0088', '010000'))).length, 0);
    });

    it('refuses reserved bits, reserved blocks and blocks above 128 KiB', async () => {
      await refuses(frame('0848', '010000'), /bits that no writer sets/);
      await refuses(frame('0048', '070000'), /a block header is damaged/);
      await refuses(frame('0048', 'fbffff61'), /a block header is damaged/);
    });

    it('refuses data cut off at any byte', async () => {
      for (const plain of [Buffer.alloc(0), sampleBytes('records', 2000), Buffer.from('short')]) {
        const whole = await compress(plain);
        for (let length = 0; length < whole.length; length += 1) {
          await refuses(whole.subarray(0, length), /./);
        }
      }
    });

    it('never returns other content when bits have flipped', async () => {
      const plain = sampleBytes('mixed', 40_000);
      const whole = await compress(plain);
      let refused = 0;
      for (let i = 0; i < 300; i += 1) {
        const bit = (i * 2654435761) % (whole.length * 8);
        const bytes = Buffer.from(whole);
        bytes[bit >>> 3] = (bytes[bit >>> 3] ?? 0) ^ (1 << (bit & 7));
        try {
          // The header has a bit without a meaning, and a window may be larger than needed.
          assert.ok((await decompress(bytes)).equals(plain), `bit ${bit}`);
        } catch (error) {
          assert.ok(isTsbkError(error, 'object-corrupt'), String(error));
          refused += 1;
        }
      }
      assert.ok(refused > 290, `${refused} of 300`);
    });

    it('gives a large expansion in pieces', async () => {
      const bytes = await compress(Buffer.alloc(48 << 20));
      assert.ok(bytes.length < 10_000);
      let total = 0;
      for await (const chunk of stage(sourceOf(bytes))) {
        assert.ok(chunk.length <= 1 << 20, `${chunk.length} bytes at once`);
        total += chunk.length;
      }
      assert.equal(total, 48 << 20);
    });

    it('leaves its source when its consumer leaves', async () => {
      const whole = await compress(sampleBytes('noise', 2_000_000));
      let left = false;
      async function* source(): AsyncGenerator<Uint8Array> {
        try {
          yield* chunked(whole, [10_000]);
        } finally {
          left = true;
        }
      }
      for await (const chunk of stage(source())) {
        assert.ok(chunk.length > 0);
        break;
      }
      assert.ok(left);
    });
  });
}
