import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ByteReader } from '../../format/byte-reader.ts';
import { chunked } from '../../stream/chunked.ts';
import { collect } from '../../stream/collect.ts';
import { sampleBytes } from '../../stream/sample-bytes.ts';
import { sourceOf } from '../../stream/source.ts';
import { zstdCompress } from './compress.ts';
import { readFrame } from './frame.ts';

const MAX = { maxBytes: 64 << 20, what: 'the test' };

const compress = (plain: Uint8Array, level: number): Promise<Buffer> =>
  collect(zstdCompress(level)(chunked(plain, [100_000])), MAX);

async function assertOneFrame(bytes: Buffer): Promise<void> {
  const reader = new ByteReader(sourceOf(bytes));
  const frame = await readFrame(reader, await reader.take(4));
  assert.ok(frame.hasChecksum);
  const whole = await collect(frame.bytes, MAX);
  assert.equal(whole.length, bytes.length, 'nothing follows the frame');
}

describe('zstdCompress', () => {
  it('makes exactly one frame with a checksum, also of nothing', async () => {
    for (const length of [0, 1, 5000, 131_072, 3 << 20]) {
      const bytes = await compress(sampleBytes('mixed', length), 3);
      await assertOneFrame(bytes);
    }
  });

  it('makes one frame also where it fills the output buffer of Node.js exactly', async () => {
    // Noise grows by a fixed number of bytes, so some length near 256 KiB fits to the byte.
    const lengths = Array.from({ length: 16 }, (_, i) => (1 << 18) - 24 + i);
    const sizes = new Set<number>();
    for (const length of lengths) {
      const bytes = await compress(sampleBytes('noise', length), 1);
      sizes.add(bytes.length);
      await assertOneFrame(bytes);
    }
    assert.ok(sizes.has(1 << 18), [...sizes].join(' '));
  });

  it('compresses harder at higher levels', async () => {
    const plain = Buffer.from(Array.from({ length: 60_000 }, (_, i) => (i * i) % 977).join(' '));
    const fastest = await compress(plain, 1);
    const best = await compress(plain, 11);
    assert.ok(best.length < fastest.length, `${best.length} of ${fastest.length}`);
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
    for await (const chunk of zstdCompress(1)(source())) {
      assert.ok(chunk.length > 0);
      break;
    }
    assert.ok(left);
  });
});
