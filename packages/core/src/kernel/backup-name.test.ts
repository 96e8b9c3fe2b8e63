import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fullBackupName, parseBackupName } from './backup-name.ts';

const SEGMENT = '000000010000000000000004';

test('parseBackupName reads full, delta and WAL-E names', () => {
  assert.deepEqual(parseBackupName(`base_${SEGMENT}`), fullBackupName(SEGMENT));
  const delta = parseBackupName(`base_${SEGMENT}_D_000000010000000000000002`);
  assert.equal(delta?.parentSegment, '000000010000000000000002');
  assert.equal(parseBackupName(`base_${SEGMENT}_00000040`)?.segment, SEGMENT);
});

test('parseBackupName gives nothing for what is no backup', () => {
  for (const text of ['', 'base_', `base_${SEGMENT}_D_`, `base_${SEGMENT}/x`, `x_${SEGMENT}`]) {
    assert.equal(parseBackupName(text), undefined, text);
  }
});
