import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isTsbkError } from '../../kernel/errors.ts';
import { chunked } from '../../stream/chunked.ts';
import { collect } from '../../stream/collect.ts';
import { sourceOf } from '../../stream/source.ts';
import { lzmaDecompress } from './decompress.ts';

const MAX = { maxBytes: 64 << 20, what: 'the test' };

/** By `xz --format=lzma`: the numbers from 1 to 40, each followed by a line end. */
const NUMBERS = Buffer.from(
  'XQAAgAD//////////wAYgoKPIk74plX38JmlJQ2QRZFaUbSbyqzcBTLshVKfsUht79zoS7lhuuCcU3+YyKlUDvw9KtMG12ZEPVZkps0918cfRPQY4A+/vgvEBjz//fQMAA==',
  'base64',
);

/** A range encoder with one model for everything: enough to encode literals and the end marker. */
function createEncoder() {
  const bytes: number[] = [];
  const models = new Map<string, number>();
  let low = 0;
  let range = 0xffffffff;
  let cache = 0;
  let pending = 1;

  function shiftLow(): void {
    if (low < 0xff000000 || low > 0xffffffff) {
      const carry = low > 0xffffffff ? 1 : 0;
      for (let byte = cache; pending > 0; pending -= 1, byte = 0xff)
        bytes.push((byte + carry) & 255);
      cache = Math.floor(low / 0x1000000) & 0xff;
    }
    pending += 1;
    low = (low % 0x1000000) * 256;
  }
  function normalize(): void {
    while (range < 0x1000000) {
      range = (range * 256) % 0x100000000;
      shiftLow();
    }
  }
  function bit(model: string, value: number): void {
    const probability = models.get(model) ?? 1024;
    const bound = Math.floor(range / 2048) * probability;
    if (value === 0) {
      range = bound;
      models.set(model, probability + ((2048 - probability) >> 5));
    } else {
      low += bound;
      range -= bound;
      models.set(model, probability - (probability >> 5));
    }
    normalize();
  }
  function tree(model: string, value: number, bits: number): void {
    let node = 1;
    for (let i = bits - 1; i >= 0; i -= 1) {
      bit(`${model} ${node}`, (value >> i) & 1);
      node = (node << 1) | ((value >> i) & 1);
    }
  }
  function directOne(): void {
    range = Math.floor(range / 2);
    low += range;
    normalize();
  }
  function finish(): Buffer {
    for (let i = 0; i < 5; i += 1) shiftLow();
    return Buffer.from(bytes);
  }
  return { bit, tree, directOne, finish };
}

/** A stream of literals only (lc 3, lp 0, pb 2), with the size in its header, a marker, or both. */
function encode(
  plain: Uint8Array,
  { size, marker }: { readonly size: bigint | undefined; readonly marker: boolean },
): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt8(0x5d);
  header.writeUInt32LE(8 << 20, 1);
  header.writeBigUInt64LE(size ?? 0xffffffffffffffffn, 5);
  const encoder = createEncoder();
  let previous = 0;
  plain.forEach((byte, at) => {
    encoder.bit(`match ${at & 3}`, 0);
    encoder.tree(`literal ${previous >> 5}`, byte, 8);
    previous = byte;
  });
  if (marker) {
    encoder.bit(`match ${plain.length & 3}`, 1);
    encoder.bit('repeat', 0);
    encoder.bit('length choice', 0);
    encoder.tree(`length ${plain.length & 3}`, 0, 3);
    encoder.tree('slot', 63, 6);
    for (let i = 0; i < 26; i += 1) encoder.directOne();
    encoder.tree('align', 15, 4);
  }
  return Buffer.concat([header, encoder.finish()]);
}

const decompress = (bytes: Uint8Array): Promise<Buffer> =>
  collect(lzmaDecompress(sourceOf(bytes)), MAX);

function refuses(bytes: Uint8Array, problem: RegExp): Promise<void> {
  return assert.rejects(decompress(bytes), (error: Error) => {
    assert.ok(isTsbkError(error, 'object-corrupt'), String(error.stack));
    assert.match(error.message, problem);
    return true;
  });
}

describe('lzmaDecompress', () => {
  it('reads a stream with an end marker, however it is cut', async () => {
    const expected = Array.from({ length: 40 }, (_, i) => `${i + 1}\n`).join('');
    for (const cut of [1, 2, 7, 13, 18, 1000]) {
      const read = await collect(lzmaDecompress(chunked(NUMBERS, [cut])), MAX);
      assert.equal(read.toString(), expected);
    }
  });

  it('reads streams of known length, with an end marker, and with both', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 2000 }),
        fc.integer({ min: 1, max: 300 }),
        async (plain, cut) => {
          const size = BigInt(plain.length);
          for (const shape of [
            { size, marker: false },
            { size, marker: true },
            { size: undefined, marker: true },
          ]) {
            const bytes = encode(plain, shape);
            const read = await collect(lzmaDecompress(chunked(bytes, [cut])), MAX);
            assert.ok(read.equals(plain));
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it('refuses data cut off at any byte', async () => {
    const plain = Buffer.from('some content that does not matter at all, some content');
    const size = BigInt(plain.length);
    for (const whole of [
      NUMBERS,
      encode(plain, { size, marker: false }),
      encode(plain, { size, marker: true }),
      encode(Buffer.alloc(0), { size: undefined, marker: true }),
    ]) {
      for (let length = 0; length < whole.length; length += 1) {
        await refuses(whole.subarray(0, length), /./);
      }
    }
  });

  it('refuses bytes after the end, a second stream included', async () => {
    for (const rest of [Buffer.alloc(1), NUMBERS, Buffer.alloc(100_000)]) {
      await refuses(Buffer.concat([NUMBERS, rest]), /there are bytes after its end/);
    }
  });

  it('refuses a length in the header that is not the one of the data', async () => {
    const plain = Buffer.from('content');
    await refuses(encode(plain, { size: 8n, marker: true }), /it has 7 bytes, its header says 8/);
    await refuses(encode(plain, { size: 6n, marker: true }), /./);
    await refuses(encode(plain, { size: 8n, marker: false }), /./);
  });

  it('refuses properties that cannot be and dictionaries above 64 MiB', async () => {
    const wrong = Buffer.from(NUMBERS);
    wrong[0] = 225;
    await refuses(wrong, /does not begin with an LZMA header/);
    const large = Buffer.from(NUMBERS);
    large.writeUInt32LE((64 << 20) + 1, 1);
    await refuses(large, /more than 64 MiB/);
  });

  it('takes any dictionary for short content of known length', async () => {
    const bytes = encode(Buffer.from('short'), { size: 5n, marker: false });
    bytes.writeUInt32LE(0xffffffff, 1);
    assert.equal((await decompress(bytes)).toString(), 'short');
    bytes.writeUInt32LE(0, 1);
    assert.equal((await decompress(bytes)).toString(), 'short');
  });

  it('refuses or decodes damaged data, and does not break', async () => {
    for (let bit = 0; bit < NUMBERS.length * 8; bit += 1) {
      const bytes = Buffer.from(NUMBERS);
      bytes[bit >>> 3] = (bytes[bit >>> 3] ?? 0) ^ (1 << (bit & 7));
      try {
        await decompress(bytes);
      } catch (error) {
        assert.ok(isTsbkError(error, 'object-corrupt'), String(error));
      }
    }
  });

  it('leaves its source when its consumer leaves', async () => {
    let left = false;
    async function* source(): AsyncGenerator<Uint8Array> {
      try {
        yield* chunked(encode(new Uint8Array(200_000), { size: undefined, marker: true }), [50]);
      } finally {
        left = true;
      }
    }
    for await (const chunk of lzmaDecompress(source())) {
      assert.ok(chunk.length > 0);
      break;
    }
    assert.ok(left);
  });
});
