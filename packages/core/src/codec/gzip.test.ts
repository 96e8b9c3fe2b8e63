import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { isTsbkError } from '../kernel/errors.ts';
import { chunked } from '../stream/chunked.ts';
import { collect } from '../stream/collect.ts';
import { sampleBytes } from '../stream/sample-bytes.ts';
import { sourceOf } from '../stream/source.ts';
import { gzipDecompress } from './gzip.ts';

const MAX = { maxBytes: 64 << 20, what: 'the test' };

function refuses(bytes: Uint8Array): Promise<void> {
  return assert.rejects(collect(gzipDecompress(sourceOf(bytes)), MAX), (error: Error) => {
    assert.ok(isTsbkError(error, 'object-corrupt'), String(error));
    return true;
  });
}

describe('gzipDecompress', () => {
  it('reads one or more members, however they were cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(70_000), { minLength: 1, maxLength: 4 }),
        fc.array(fc.integer({ min: 1, max: 30_000 }), { minLength: 1, maxLength: 3 }),
        async (lengths, sizes) => {
          const plain = lengths.map((length, i) => sampleBytes('mixed', length, i));
          const bytes = Buffer.concat(plain.map((part) => gzipSync(part)));
          const read = await collect(
            gzipDecompress(chunked(bytes, [...sizes, bytes.length >> 3])),
            MAX,
          );
          assert.ok(read.equals(Buffer.concat(plain)));
        },
      ),
      { numRuns: 40 },
    );
  });

  it('refuses members cut off at any byte', async () => {
    const one = gzipSync(sampleBytes('records', 500));
    const two = Buffer.concat([one, one]);
    for (let length = 0; length < two.length; length += 1) {
      if (length !== one.length) await refuses(two.subarray(0, length));
    }
  });

  it('refuses what follows the last member: zeros, text, half a magic number', async () => {
    const whole = gzipSync('content');
    for (const rest of ['00', '0000000000', '6869', '1f', '1f8b', 'ff']) {
      await refuses(Buffer.concat([whole, Buffer.from(rest, 'hex')]));
    }
  });

  it('never returns other content when bits have flipped', async () => {
    const plain = sampleBytes('mixed', 20_000);
    const whole = gzipSync(plain);
    let refused = 0;
    for (let i = 0; i < 300; i += 1) {
      const bit = (i * 2654435761) % (whole.length * 8);
      const bytes = Buffer.from(whole);
      bytes[bit >>> 3] = (bytes[bit >>> 3] ?? 0) ^ (1 << (bit & 7));
      try {
        // Time and system in the header mean nothing to the content.
        assert.ok((await collect(gzipDecompress(sourceOf(bytes)), MAX)).equals(plain), `${bit}`);
      } catch (error) {
        assert.ok(isTsbkError(error, 'object-corrupt'), String(error));
        refused += 1;
      }
    }
    assert.ok(refused > 290, `${refused} of 300`);
  });
});
