import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { xxh32, xxh32Of } from './xxh32.ts';

describe('xxh32', () => {
  it('gives the values that other implementations give', () => {
    const known: readonly (readonly [string, number])[] = [
      ['', 0x02cc5d05],
      ['a', 0x550d7456],
      ['abc', 0x32d153ff],
      ['Nobody inspects the spammish repetition', 0xe2293b2f],
    ];
    for (const [text, hash] of known) assert.equal(xxh32Of(Buffer.from(text)), hash);
  });

  it('depends on the bytes, not on how they were cut', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 70 }), { maxLength: 8 }), (pieces) => {
        const hash = xxh32();
        for (const piece of pieces) hash.update(piece);
        assert.equal(hash.digest(), xxh32Of(Buffer.concat(pieces)));
      }),
    );
  });

  it('does not depend on alignment', () => {
    const bytes = Buffer.alloc(300, 'alignment');
    for (let shift = 0; shift < 8; shift += 1) {
      const shifted = Buffer.concat([Buffer.alloc(shift), bytes]).subarray(shift);
      assert.equal(xxh32Of(shifted), xxh32Of(bytes));
    }
  });
});
