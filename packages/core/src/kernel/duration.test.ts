import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatDuration, parseDuration } from './duration.ts';

test('parseDuration reads Go’s notation and days', () => {
  assert.equal(parseDuration('30s'), 30_000);
  assert.equal(parseDuration('1h30m'), 5_400_000);
  assert.equal(parseDuration('1.5h'), 5_400_000);
  assert.equal(parseDuration('250ms'), 250);
  assert.equal(parseDuration('7d'), 604_800_000);
  assert.equal(parseDuration('0'), 0);
});

test('parseDuration gives nothing without a unit or for nonsense', () => {
  for (const text of ['', '30', '-1s', '1y', 's', '1 s'])
    assert.equal(parseDuration(text), undefined);
});

test('formatDuration speaks as a person does', () => {
  assert.equal(formatDuration(830), '830 ms');
  assert.equal(formatDuration(12_400), '12.4 s');
  assert.equal(formatDuration(200_000), '3 min 20 s');
  assert.equal(formatDuration(7_500_000), '2 h 5 min');
});
