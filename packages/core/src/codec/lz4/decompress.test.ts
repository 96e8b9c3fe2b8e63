import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { compressSync } from 'lz4-napi';
import { isTsbkError } from '../../kernel/errors.ts';
import { chunked } from '../../stream/chunked.ts';
import { collect } from '../../stream/collect.ts';
import { sampleBytes } from '../../stream/sample-bytes.ts';
import { sourceOf } from '../../stream/source.ts';
import { lz4Compress } from './compress.ts';
import { lz4Decompress, lz4DecompressHashed } from './decompress.ts';
import { xxh32Of } from './xxh32.ts';

const MAX = { maxBytes: 64 << 20, what: 'the test' };
const END_MARK = Buffer.alloc(4);
const EMPTY_BLOCK = Buffer.from('00000080', 'hex');
const SKIPPABLE = Buffer.concat([Buffer.from('5a2a4d1803000000', 'hex'), Buffer.from('abc')]);

const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return bytes;
};

interface FrameShape {
  readonly flags?: number;
  readonly blockSize?: number;
  readonly size?: bigint;
}

function header({ flags = 0x64, blockSize = 0x70, size }: FrameShape = {}): Buffer {
  const sizeField = Buffer.alloc(size === undefined ? 0 : 8);
  if (size !== undefined) sizeField.writeBigUInt64LE(size);
  const fields = Buffer.concat([Buffer.of(flags, blockSize), sizeField]);
  const check = Buffer.of((xxh32Of(fields) >>> 8) & 0xff);
  return Buffer.concat([u32(0x184d2204), fields, check]);
}

/** A block of a frame with its size before it. */
function block(plain: Buffer, history?: Buffer): Buffer {
  const bytes = Buffer.from(compressSync(plain, history));
  bytes.writeUInt32LE(bytes.length - 4);
  return bytes;
}

function frame(shape: FrameShape, blocks: readonly Buffer[], plain: Buffer): Buffer {
  return Buffer.concat([header(shape), ...blocks, END_MARK, u32(xxh32Of(plain))]);
}

const decompress = (bytes: Uint8Array): Promise<Buffer> =>
  collect(lz4Decompress(sourceOf(bytes)), MAX);
const compress = (plain: Uint8Array): Promise<Buffer> => collect(lz4Compress(sourceOf(plain)), MAX);

async function refuses(bytes: Uint8Array, problem: RegExp): Promise<void> {
  await assert.rejects(decompress(bytes), (error: Error) => {
    assert.ok(isTsbkError(error, 'object-corrupt'), String(error));
    assert.match(error.message, problem);
    return true;
  });
}

describe('lz4Decompress', () => {
  it('reads past the empty block that WAL-G 2.0 to 3.0.8 writes after a full last one', async () => {
    const plain = sampleBytes('records', 4 << 20);
    const bytes = frame({}, [block(plain), EMPTY_BLOCK], plain);
    assert.ok((await decompress(bytes)).equals(plain));
  });

  it('reads empty blocks at the beginning, between others and alone', async () => {
    const [one, two] = [Buffer.from('first '), Buffer.from('second')];
    const plain = Buffer.concat([one, two]);
    const blocks = [EMPTY_BLOCK, block(one), EMPTY_BLOCK, EMPTY_BLOCK, block(two)];
    assert.equal((await decompress(frame({}, blocks, plain))).toString(), 'first second');
    assert.equal((await decompress(frame({}, [EMPTY_BLOCK], Buffer.alloc(0)))).length, 0);
  });

  it('reads linked blocks of any size', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 150_000 }), { minLength: 2, maxLength: 6 }),
        fc.array(fc.integer({ min: 1, max: 90_000 }), { minLength: 1, maxLength: 3 }),
        async (lengths, cuts) => {
          const plain = sampleBytes(
            'mixed',
            lengths.reduce((sum, length) => sum + length, 0),
          );
          let at = 0;
          const blocks = lengths.map((length) => {
            const history = plain.subarray(Math.max(0, at - 65_536), at);
            at += length;
            const piece = plain.subarray(at - length, at);
            return history.length === 0 ? block(piece) : block(piece, history);
          });
          const bytes = frame({ flags: 0x44 }, blocks, plain);
          const read = await collect(lz4Decompress(chunked(bytes, [...cuts, 50_000])), MAX);
          assert.ok(read.equals(plain));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('reads linked blocks after stored ones', async () => {
    const stored = sampleBytes('noise', 50_000);
    const plain = Buffer.concat([stored, stored]);
    const blocks = [
      Buffer.concat([u32(0x80000000 + stored.length), stored]),
      block(stored, stored),
    ];
    const bytes = frame({ flags: 0x44 }, blocks, plain);
    assert.ok(bytes.length < 52_000);
    assert.ok((await decompress(bytes)).equals(plain));
  });

  it('reads small blocks after large ones and large ones after small ones', async () => {
    const sizes = [100, 4 << 20, 1, 70_000, 2 << 20, 5];
    const plain = sampleBytes(
      'records',
      sizes.reduce((sum, size) => sum + size, 0),
    );
    let at = 0;
    const blocks = sizes.map((size) => block(plain.subarray(at, (at += size))));
    assert.ok((await decompress(frame({}, blocks, plain))).equals(plain));
  });

  it('checks block checksums, content size and content checksum where a frame has them', async () => {
    const plain = Buffer.from('content content content content content content content');
    const body = block(plain);
    const checked = Buffer.concat([body, u32(xxh32Of(body.subarray(4)))]);
    const shape = { flags: 0x7c, size: BigInt(plain.length) };
    assert.ok((await decompress(frame(shape, [checked], plain))).equals(plain));
    const wrong = Buffer.concat([body, u32(xxh32Of(body.subarray(4)) ^ 1)]);
    await refuses(frame(shape, [wrong], plain), /checksum of a block/);
    await refuses(frame({ ...shape, size: 1n }, [checked], plain), /a frame of 1 bytes has 55/);
    await refuses(frame({}, [body], Buffer.from('other')), /checksum of its content/);
  });

  it('leaves the content checksum alone, and nothing else, where the content is hashed', async () => {
    const plain = Buffer.from('content content content content content content content');
    const other = frame({}, [block(plain)], Buffer.from('other'));
    const read = (bytes: Buffer): Promise<Buffer> =>
      collect(lz4DecompressHashed(sourceOf(bytes)), MAX);
    assert.ok((await read(other)).equals(plain));
    await assert.rejects(read(other.subarray(0, -1)), { code: 'object-corrupt' });
    await assert.rejects(read(Buffer.concat([other, Buffer.from('x')])), {
      code: 'object-corrupt',
    });
  });

  it('reads a frame without any checksum', async () => {
    const bytes = Buffer.concat([header({ flags: 0x60 }), block(Buffer.from('bare')), END_MARK]);
    assert.equal((await decompress(bytes)).toString(), 'bare');
  });

  it('reads concatenated frames with skippable ones before, between and after them', async () => {
    const one = await compress(Buffer.from('one '));
    const two = await compress(Buffer.from('two'));
    const bytes = Buffer.concat([SKIPPABLE, one, SKIPPABLE, SKIPPABLE, two, SKIPPABLE]);
    for (const cut of [1, 3, 1000]) {
      const read = await collect(lz4Decompress(chunked(bytes, [cut])), MAX);
      assert.equal(read.toString(), 'one two');
    }
  });

  it('reads legacy frames, alone and before other frames', async () => {
    const plain = sampleBytes('records', 9 << 20);
    const legacy = Buffer.concat([
      u32(0x184c2102),
      block(plain.subarray(0, 8 << 20)),
      block(plain.subarray(8 << 20)),
    ]);
    assert.ok((await decompress(legacy)).equals(plain));
    const both = Buffer.concat([legacy, await compress(Buffer.from('more')), legacy]);
    const expected = Buffer.concat([plain, Buffer.from('more'), plain]);
    assert.ok((await decompress(both)).equals(expected));
  });

  it('refuses data without a frame', async () => {
    await refuses(Buffer.alloc(0), /holds no frame/);
    await refuses(SKIPPABLE, /holds no frame/);
    await refuses(Buffer.from('plain text'), /does not begin with a frame/);
    await refuses(Buffer.from('04224d', 'hex'), /does not begin with a frame/);
  });

  it('refuses bytes after a frame', async () => {
    const whole = await compress(Buffer.from('content'));
    for (const rest of ['00', '0000', '00000000', '04224d', 'ffffffff00']) {
      const bytes = Buffer.concat([whole, Buffer.from(rest, 'hex')]);
      await refuses(bytes, /what follows a frame is not another one/);
    }
  });

  it('refuses headers that no writer makes', async () => {
    const rest = Buffer.concat([END_MARK, u32(xxh32Of(Buffer.alloc(0)))]);
    const cases: readonly (readonly [FrameShape, RegExp])[] = [
      [{ flags: 0xa4 }, /unknown version/],
      [{ flags: 0x66 }, /bits that no writer sets/],
      [{ blockSize: 0x30 }, /bits that no writer sets/],
      [{ blockSize: 0x71 }, /bits that no writer sets/],
      [{ blockSize: 0xf0 }, /bits that no writer sets/],
      [{ flags: 0x65 }, /needs a dictionary/],
    ];
    for (const [shape, problem] of cases) {
      await refuses(Buffer.concat([header(shape), rest]), problem);
    }
    const wrong = header();
    wrong[6] = (wrong[6] ?? 0) ^ 1;
    await refuses(Buffer.concat([wrong, rest]), /checksum of a frame header/);
  });

  it('refuses a block larger than its frame allows, compressed or stored', async () => {
    const plain = Buffer.alloc(65_537);
    await refuses(frame({ blockSize: 0x40 }, [block(plain)], plain), /a block is damaged/);
    const stored = Buffer.concat([u32(0x80000000 + plain.length), plain]);
    await refuses(frame({ blockSize: 0x40 }, [stored], plain), /larger than its frame allows/);
    await refuses(Buffer.concat([header(), u32(0x7fffffff)]), /larger than its frame allows/);
  });

  it('refuses a block that refers to bytes before the frame', async () => {
    const history = sampleBytes('noise', 1000);
    await refuses(frame({}, [block(history, history)], history), /a block is damaged/);
  });

  it('refuses data cut off at any byte', async () => {
    for (const plain of [Buffer.alloc(0), sampleBytes('records', 900), sampleBytes('noise', 50)]) {
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
        // A match inside a run may begin elsewhere in the run and give the same bytes.
        assert.ok((await decompress(bytes)).equals(plain), `bit ${bit}`);
      } catch (error) {
        assert.ok(isTsbkError(error, 'object-corrupt'), String(error));
        refused += 1;
      }
    }
    assert.ok(refused > 250, `${refused} of 300`);
  });

  it('gives a large expansion in pieces of one block', async () => {
    const plain = Buffer.alloc(4 << 20);
    const bytes = frame(
      {},
      Array.from({ length: 8 }, () => block(plain)),
      Buffer.alloc(32 << 20),
    );
    assert.ok(bytes.length < 150_000);
    for await (const chunk of lz4Decompress(sourceOf(bytes))) {
      assert.equal(chunk.length, 4 << 20);
    }
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
    for await (const chunk of lz4Decompress(source())) {
      assert.ok(chunk.length > 0);
      break;
    }
    assert.ok(left);
  });
});
