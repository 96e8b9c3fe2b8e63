import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { median, pairedRatio, percentile, spreadOf } from './statistics.ts';

describe('median', () => {
  test('is the middle value whatever the order', () => {
    assert.equal(median([9, 1, 10]), 9);
  });
  test('of an even number is the mean of the two in the middle', () => {
    assert.equal(median([4, 1, 100, 2]), 3);
  });
  test('of nothing is not a number', () => {
    assert.ok(Number.isNaN(median([])));
  });
});

describe('percentile', () => {
  const hundred = Array.from({ length: 100 }, (_, i) => 100 - i);
  test('is the value of the nearest rank', () => {
    assert.equal(percentile(hundred, 0.99), 99);
    assert.equal(percentile(hundred, 1), 100);
    assert.equal(percentile([7], 0.5), 7);
  });
  test('sorts by size, not by text', () => {
    assert.equal(percentile([9, 10, 100], 0.5), 10);
  });
});

describe('pairedRatio', () => {
  test('pairs by round and leaves out what only one side has', () => {
    const ours = new Map([
      [1, 2],
      [2, 4],
      [3, 1],
    ]);
    const theirs = new Map([
      [1, 4],
      [2, 4],
      [4, 99],
    ]);
    assert.deepEqual(pairedRatio(ours, theirs), { median: 1.5, min: 1, max: 2 });
  });
  test('of no common round is absent', () => {
    assert.equal(pairedRatio(new Map([[1, 2]]), new Map([[2, 2]])), undefined);
    assert.equal(spreadOf([]), undefined);
  });
});
