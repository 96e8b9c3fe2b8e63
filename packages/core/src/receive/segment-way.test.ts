import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toLsn } from '../kernel/lsn.ts';
import { nameOf, timelineOf, type SegmentWay } from './segment-way.ts';

const MIB = 1024 * 1024;

const WAY: SegmentWay = {
  timeline: 5,
  history: {
    timeline: 5,
    ancestors: [
      { timeline: 1, switchLsn: toLsn(4 * MIB + 100), reason: '' },
      { timeline: 3, switchLsn: toLsn(6 * MIB), reason: '' },
    ],
  },
  segmentBytes: MIB,
};

test('a segment in which the timeline changes is of the newer one', () => {
  const timelines = [3n, 4n, 5n, 6n, 7n].map((number) => timelineOf(WAY, number));
  assert.deepEqual(timelines, [1, 3, 3, 5, 5]);
});

test('names carry the timeline of their segment', () => {
  assert.equal(nameOf(WAY, 4n), '000000030000000000000004');
  assert.equal(nameOf({ ...WAY, history: undefined }, 4n), '000000050000000000000004');
});
