import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { partSizes, type PartSizes } from './part-sizes.ts';

const MIB = 1024 ** 2;
const S3 = { partBytesMin: 5 * MIB, partBytesMax: 5 * 1024 * MIB, partsMax: 10_000 };

function longestObject(sizes: PartSizes, partsMax: number): number {
  let bytes = 0;
  for (let number = 1; number <= partsMax; number += 1) bytes += sizes.of(number);
  return bytes;
}

describe('part sizes', () => {
  it('are as asked for the first tenth of the parts', () => {
    const sizes = partSizes(S3, 20 * MIB);
    for (const number of [1, 2, 500, 1000]) assert.equal(sizes.of(number), 20 * MIB);
    assert.ok(sizes.of(1001) > 20 * MIB);
  });

  it('let the longest object of S3 fit, whatever was asked', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6 * 1024 * MIB }), (partBytes) => {
        const sizes = partSizes(S3, partBytes);
        assert.ok(longestObject(sizes, S3.partsMax) >= 5 * 1024 ** 4);
        for (const number of [1, 1001, 10_000]) {
          assert.ok(sizes.of(number) >= S3.partBytesMin && sizes.of(number) <= S3.partBytesMax);
        }
      }),
      { numRuns: 20 },
    );
  });

  it('never need a part of more than about twice the average', () => {
    assert.ok(partSizes(S3, 20 * MIB).of(10_000) < 2.5 * ((5 * 1024 ** 4) / 10_000));
  });

  it('do not grow in a store without limits', () => {
    const store = { partBytesMin: 1, partBytesMax: 2 ** 52, partsMax: Number.MAX_SAFE_INTEGER };
    assert.equal(partSizes(store, 1000).of(1_000_000), 1000);
  });
});
