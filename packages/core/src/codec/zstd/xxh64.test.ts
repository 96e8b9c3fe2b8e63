import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { xxh64 } from './xxh64.ts';

function hashOf(...pieces: readonly Uint8Array[]): number {
  const hash = xxh64();
  for (const piece of pieces) hash.update(piece);
  return hash.digestLow();
}

describe('xxh64', () => {
  it('gives the low halves of what other implementations give', () => {
    const known: readonly (readonly [string, number])[] = [
      ['', 0x51d8e999],
      ['a', 0xa98c6e5b],
      ['abc', 0xad770999],
      ['Nobody inspects the spammish repetition', 0x8a378bf1],
    ];
    for (const [text, low] of known) {
      assert.equal(hashOf(Buffer.from(text)).toString(16), low.toString(16), text);
    }
  });

  it('depends on the bytes, not on how they were cut', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 140 }), { maxLength: 8 }), (pieces) => {
        assert.equal(hashOf(...pieces), hashOf(Buffer.concat(pieces)));
      }),
    );
  });
});
