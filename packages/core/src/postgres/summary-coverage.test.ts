import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { toLsn } from '../kernel/lsn.ts';
import type { WalStretch } from '../ports/changed-blocks.ts';
import { missingFrom } from './summary-coverage.ts';

const stretch = (timeline: number, from: number, to: number): WalStretch => ({
  timeline,
  from: toLsn(from),
  to: toLsn(to),
});

test('a stretch is covered when each of its positions is in a summary of its timeline', () => {
  const positions = fc.tuple(fc.nat(30), fc.nat(10));
  const summary = fc
    .tuple(fc.constantFrom(1, 2), positions)
    .map(([timeline, [from, length]]) => stretch(timeline, from, from + length));
  fc.assert(
    fc.property(fc.array(summary, { maxLength: 12 }), summary, (summaries, wanted) => {
      const covers = (at: bigint): boolean =>
        summaries.some((s) => s.timeline === wanted.timeline && s.from <= at && at < s.to);
      const first = [...Array(Number(wanted.to - wanted.from)).keys()]
        .map((step) => wanted.from + BigInt(step))
        .find((at) => !covers(at));
      const missing = missingFrom(summaries, [wanted]);
      assert.equal(missing === undefined, first === undefined);
      if (first !== undefined)
        assert.ok(missing?.startsWith(`from 0/${first.toString(16).toUpperCase()} `));
    }),
    { numRuns: 500 },
  );
});

test('every stretch on the way must be covered', () => {
  const summaries = [stretch(2, 20, 40), stretch(1, 0, 10), stretch(1, 10, 20)];
  assert.equal(missingFrom(summaries, [stretch(1, 5, 20), stretch(2, 20, 30)]), undefined);
  assert.equal(
    missingFrom(summaries, [stretch(1, 5, 20), stretch(2, 20, 41)]),
    'from 0/28 to 0/29 of timeline 2',
  );
});
