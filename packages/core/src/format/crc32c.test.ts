import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { crc32c, portableCrc32c } from './crc32c.ts';

/** Bit by bit, straight from the definition. */
function slowCrc32c(bytes: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ ((crc & 1) === 0 ? 0 : 0x82f63b78);
  }
  return ~crc >>> 0;
}

describe('crc32c', () => {
  it('gives the check values of RFC 3720 and of the polynomial', () => {
    assert.equal(crc32c(Buffer.from('123456789')), 0xe306_9283);
    assert.equal(crc32c(Buffer.alloc(32)), 0x8a91_36aa);
    assert.equal(crc32c(Buffer.alloc(32, 0xff)), 0x62a8_ab43);
    assert.equal(crc32c(Buffer.from(Array.from({ length: 32 }, (_, i) => i))), 0x46dd_794e);
  });

  it('gives what PostgreSQL has for the PG_VERSION file of version 18', () => {
    assert.equal(crc32c(Buffer.from('18\n')), 0xe27b_4e99);
  });

  it('agrees with the definition for any bytes at any offset in their buffer', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(20), (bytes, offset) => {
        const view = bytes.subarray(Math.min(offset, bytes.length));
        assert.equal(crc32c(view), slowCrc32c(view));
      }),
    );
  });

  it('sums a stream chunk by chunk', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(300), (bytes, cut) => {
        const first = crc32c(bytes.subarray(0, cut));
        assert.equal(crc32c(bytes.subarray(cut), first), crc32c(bytes));
      }),
    );
  });

  it('is 0 for nothing', () => {
    assert.equal(crc32c(new Uint8Array(0)), 0);
  });

  it('is the same by the native addon, which is there, over any pieces', () => {
    assert.ok(import.meta.resolve('@node-rs/crc32'));
    const bytes = fc.uint8Array({ minLength: 4096, maxLength: 20_000, size: 'max' });
    fc.assert(
      fc.property(bytes, bytes, (first, second) => {
        const whole = Buffer.concat([first, second]);
        const expected = portableCrc32c(second, portableCrc32c(first));
        assert.equal(crc32c(second, crc32c(first)), expected);
        assert.equal(crc32c(whole), expected);
      }),
      { numRuns: 20 },
    );
  });
});
