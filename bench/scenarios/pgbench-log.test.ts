import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { figuresWithin } from './pgbench-log.ts';

const LOG = [
  '0 1 900 0 999 999999', // before
  '0 2 1000 0 1000 0',
  '1 1 3000 0 1000 500000',
  '0 3 2000 0 1001 999999',
  '1 2 9000 0 1002 0', // after
  '0 4 70', // cut off
].join('\n');

describe('figuresWithin', () => {
  test('counts what ended within the span, its end excluded', () => {
    const figures = figuresWithin(LOG, { fromMs: 1_000_000, toMs: 1_002_000 });
    assert.deepEqual(figures, { seconds: 2, tps: 1.5, p99Ms: 3 });
  });
  test('reports a span without transactions as such', () => {
    const figures = figuresWithin(LOG, { fromMs: 0, toMs: 1000 });
    assert.equal(figures.tps, 0);
    assert.ok(Number.isNaN(figures.p99Ms));
  });
});
