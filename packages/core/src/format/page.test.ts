import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { PAGE_BYTES, Pages } from './page.ts';

/** The algorithm as PostgreSQL's documentation of it reads, one word after the other. */
function slowChecksum(page: Uint8Array, block: number, seeds: readonly bigint[]): number {
  const view = new DataView(Uint8Array.from(page).buffer);
  view.setUint16(8, 0, true);
  const mix = (sum: bigint, value: bigint): bigint => {
    const both = sum ^ value;
    return ((both * 16_777_619n) & 0xffff_ffffn) ^ (both >> 17n);
  };
  const sums = [...seeds];
  const add = (column: number, value: bigint): void => {
    sums[column] = mix(sums[column] ?? 0n, value);
  };
  for (let at = 0; at < PAGE_BYTES; at += 4) {
    add((at / 4) % 32, BigInt(view.getUint32(at, true)));
  }
  for (let column = 0; column < 64; column += 1) add(column % 32, 0n);
  const folded = sums.reduce((all, sum) => all ^ sum, 0n) ^ BigInt(block);
  return Number(folded % 65_535n) + 1;
}

const SEEDS = (
  '5b1f36e9 b8525960 02ab50aa 1de66d2a 79ff467a 9bb9f8a3 217e7cd2 83e13d2c ' +
  'f8d4474f e39eb970 42c6ae16 993216fa 7b093b5d 98daff3c f718902a 0b1c9cdb ' +
  'e58f764b 187636bc 5d7b3bb1 e73de7de 92bec979 cca6c0b2 304a0979 85aa43d4 ' +
  '783125bb 6ca8eaa2 e407eac6 4b5cfc3e 9fbf8c76 15ca20be f2ca9fd3 959bd756'
)
  .split(' ')
  .map((hex) => BigInt(`0x${hex}`));

const bytes = fc.uint8Array({ minLength: 64, maxLength: 64 });

test('Pages computes the checksum that the description of the algorithm gives', () => {
  fc.assert(
    fc.property(bytes, fc.nat({ max: 2 ** 31 - 1 }), fc.nat({ max: 127 }), (seed, block, shift) => {
      const two = Buffer.alloc(2 * PAGE_BYTES, seed);
      two.fill(seed.subarray(7), PAGE_BYTES + shift * 64);
      const pages = new Pages(two);
      for (const at of [0, PAGE_BYTES]) {
        const expected = slowChecksum(two.subarray(at, at + PAGE_BYTES), block, SEEDS);
        assert.equal(pages.computed(at, block), expected);
      }
    }),
    { numRuns: 30 },
  );
});

test('Pages reads the header of a page', () => {
  const page = Buffer.alloc(PAGE_BYTES);
  assert.equal(new Pages(page).isNew(0), true);
  page.writeUInt32LE(1, 0);
  page.writeUInt32LE(0xffff_fff0, 4);
  page.writeUInt16LE(0xbeef, 8);
  page.writeUInt16LE(8000, 14);
  const pages = new Pages(page);
  assert.equal(pages.isNew(0), false);
  assert.equal(pages.stored(0), 0xbeef);
  assert.equal(pages.isOlder(0, 1, 0xffff_fff0), false);
  assert.equal(pages.isOlder(0, 1, 0xffff_fff1), true);
  assert.equal(pages.isOlder(0, 2, 0), true);
  assert.equal(pages.isOlder(0, 0, 0xffff_ffff), false);
});
