import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isTsbkError } from '../../kernel/errors.ts';
import { toLsn } from '../../kernel/lsn.ts';
import { formatSegment } from '../../kernel/wal-file.ts';
import type { TimelineHistory } from '../../format/history-file.ts';
import { planRun, planStretches, type BackupPlace } from './timeline-plan.ts';
import { ListingBuilder, type WalListing } from './wal-listing.ts';

const SEGMENT = 16 * 1024 * 1024;

/** A byte in segment `number`. */
const inSegment = (number: number, offset = 0x100) => toLsn(number * SEGMENT + offset);

function backupAt(timeline: number, from: number, to = from): BackupPlace {
  const stopLsn = inSegment(to, 0x200);
  return { name: 'base_x', timeline, startLsn: inSegment(from), stopLsn };
}

function history(timeline: number, ...ends: readonly (readonly [number, number, number?])[]) {
  const ancestors = ends.map(([ancestor, number, offset]) => ({
    timeline: ancestor,
    switchLsn: inSegment(number, offset),
    reason: '',
  }));
  return { timeline, history: { timeline, ancestors } satisfies TimelineHistory };
}

function listing(...names: readonly (readonly [number, number])[]): WalListing {
  const builder = new ListingBuilder(SEGMENT, ['lz4']);
  for (const [timeline, number] of names) {
    builder.add(`${formatSegment({ timeline, number: BigInt(number) }, SEGMENT)}.lz4`);
  }
  return builder.done();
}

describe('planStretches', () => {
  it('stays on a timeline without parent', () => {
    const stretches = planStretches(backupAt(1, 5), { timeline: 1, history: undefined }, SEGMENT);
    assert.deepEqual(stretches, [{ timeline: 1, first: 5n, last: undefined }]);
  });

  it('reads the segment of a change from the newer timeline', () => {
    const stretches = planStretches(backupAt(1, 5), history(2, [1, 8]), SEGMENT);
    assert.deepEqual(stretches, [
      { timeline: 1, first: 5n, last: 7n },
      { timeline: 2, first: 8n, last: undefined },
    ]);
  });

  it('reads the newest of several timelines that begin in one segment', () => {
    const target = history(4, [1, 8], [2, 8, 0x400], [3, 9]);
    const stretches = planStretches(backupAt(1, 5), target, SEGMENT);
    assert.deepEqual(
      stretches.map(({ timeline, first }) => [timeline, first]),
      [
        [1, 5n],
        [3, 8n],
        [4, 9n],
      ],
    );
  });

  it('begins on the newer timeline when that begins in the first segment', () => {
    const stretches = planStretches(backupAt(1, 8), history(2, [1, 8, 0x300]), SEGMENT);
    assert.deepEqual(stretches, [{ timeline: 2, first: 8n, last: undefined }]);
  });

  it('refuses a timeline that does not come from the backup', () => {
    const isUnreachable = (error: unknown): boolean => isTsbkError(error, 'target-unreachable');
    const cases: readonly (readonly [BackupPlace, ReturnType<typeof history>])[] = [
      // A sister: both come from 1.
      [backupAt(2, 9), history(3, [1, 8])],
      // It left before the backup began, and while it was made.
      [backupAt(1, 9), history(2, [1, 8])],
      [backupAt(1, 7, 9), history(2, [1, 8])],
    ];
    for (const [backup, target] of cases) {
      assert.throws(() => planStretches(backup, target, SEGMENT), isUnreachable);
    }
  });

  it('accepts a timeline that begins where the backup ends', () => {
    const backup = backupAt(1, 7, 8);
    assert.equal(planStretches(backup, history(2, [1, 8, 0x200]), SEGMENT).length, 2);
  });
});

describe('planRun', () => {
  const over = planStretches(backupAt(1, 5), history(2, [1, 8]), SEGMENT);

  it('goes on until the first segment that is not there', () => {
    const run = planRun(over, listing([1, 5], [1, 6], [1, 7], [2, 8], [2, 9]));
    assert.deepEqual(run.ranges, [
      { timeline: 1, first: 5n, last: 7n },
      { timeline: 2, first: 8n, last: 9n },
    ]);
    assert.deepEqual(run.missing, { timeline: 2, number: 10n });
    assert.equal(run.isHole, false);
  });

  it('knows a hole from the end', () => {
    assert.equal(planRun(over, listing([1, 5], [1, 7])).isHole, true);
    assert.equal(planRun(over, listing([1, 5], [2, 9])).isHole, true);
    assert.equal(planRun(over, listing([2, 8])).isHole, true);
    assert.equal(planRun(over, listing([1, 5], [1, 6])).isHole, false);
  });

  it('takes no notice of what is beside the way', () => {
    // The old timeline went on after the change, and an unrelated one exists.
    const run = planRun(over, listing([1, 5], [1, 6], [1, 8], [1, 9], [7, 6], [7, 7]));
    assert.deepEqual(run.missing, { timeline: 1, number: 7n });
    assert.equal(run.isHole, false);
  });

  it('does not take the old timeline for the segment of the change', () => {
    const run = planRun(over, listing([1, 5], [1, 6], [1, 7], [1, 8], [1, 9]));
    assert.deepEqual(run.missing, { timeline: 2, number: 8n });
  });

  it('finds exactly the segments up to the first gap, whatever is listed', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 1, max: 30 })), (numbers) => {
        const sorted = numbers.toSorted((a, b) => a - b);
        const stretches = [{ timeline: 1, first: 5n, last: undefined }];
        const run = planRun(stretches, listing(...sorted.map((number) => [1, number] as const)));
        let expected = 5;
        while (numbers.includes(expected)) expected += 1;
        assert.equal(run.missing.number, BigInt(expected));
        assert.equal(
          run.isHole,
          numbers.some((number) => number > expected),
        );
      }),
    );
  });
});
