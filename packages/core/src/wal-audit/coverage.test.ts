import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { formatSegment } from '../kernel/wal-file.ts';
import { ListingBuilder } from '../repository/wal-way/wal-listing.ts';
import { countOf, coverOf } from './coverage.ts';
import { timelinesOf } from './timelines.ts';

const SEGMENT_BYTES = 256 * 1024 * 1024;

/** Any set of segments of two timelines, close to the border of the last eight digits. */
const present = fc.uniqueArray(
  fc.record({ timeline: fc.constantFrom(1, 2), number: fc.bigInt(1n, 40n) }),
  { selector: ({ timeline, number }) => `${timeline}/${number}` },
);

function listingOf(segments: readonly { timeline: number; number: bigint }[]) {
  const builder = new ListingBuilder(SEGMENT_BYTES, ['lz4', '']);
  const names = segments.map((segment) => formatSegment(segment, SEGMENT_BYTES)).sort();
  for (const name of names) builder.add(`${name}.lz4`);
  return builder.done();
}

describe('what is missing', () => {
  it('is what counting one by one finds, for any set of segments', () => {
    fc.assert(
      fc.property(present, (segments) => {
        for (const facts of timelinesOf(listingOf(segments), new Map())) {
          const own = new Set(
            segments.filter((one) => one.timeline === facts.timeline).map(({ number }) => number),
          );
          const missing: bigint[] = [];
          for (let number = facts.first; number <= facts.last; number += 1n) {
            if (!own.has(number)) missing.push(number);
          }
          const told = facts.missing.flatMap(({ first, last }) =>
            Array.from({ length: Number(last - first + 1n) }, (_, n) => first + BigInt(n)),
          );
          assert.deepEqual(told, missing);
          assert.equal(facts.count, BigInt(own.size));
          assert.ok(own.has(facts.first) && own.has(facts.last));
        }
      }),
    );
  });

  it('covers a range without overlap and without rest', () => {
    fc.assert(
      fc.property(present, fc.bigInt(1n, 40n), fc.bigInt(0n, 40n), (segments, first, more) => {
        const listing = listingOf(segments);
        const last = first + more;
        const covers = coverOf(listing, 1, { first, last });
        let next = first;
        for (const cover of covers) {
          assert.equal(cover.first, next);
          assert.ok(countOf(cover) > 0n);
          next = cover.last + 1n;
          for (let number = cover.first; number <= cover.last; number += 1n) {
            const isThere = segments.some((one) => one.timeline === 1 && one.number === number);
            assert.equal(cover.isThere, isThere);
          }
        }
        assert.equal(next, last + 1n);
      }),
    );
  });

  it('costs nothing where there are a million segments and no gap', () => {
    const segments = new Map([[1, [{ first: 1n, last: 1_000_000n }]]]);
    const covers = coverOf({ segments }, 1, { first: 1n, last: 1_000_001n });
    assert.deepEqual(covers, [
      { timeline: 1, first: 1n, last: 1_000_000n, isThere: true },
      { timeline: 1, first: 1_000_001n, last: 1_000_001n, isThere: false },
    ]);
  });
});
