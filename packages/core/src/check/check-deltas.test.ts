import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkDeltas } from './check-deltas.ts';

test('a server that could summarize its WAL and does not is pointed out where deltas are wanted', () => {
  const of = (summarizeWal: boolean | undefined, deltaMaxSteps: number): readonly string[] =>
    checkDeltas({ summarizeWal }, { deltaMaxSteps }).map(({ status }) => status);
  assert.deepEqual(of(false, 0), []);
  assert.deepEqual(of(undefined, 6), []);
  assert.deepEqual(of(true, 6), ['ok']);
  assert.deepEqual(of(false, 6), ['warning']);
});
