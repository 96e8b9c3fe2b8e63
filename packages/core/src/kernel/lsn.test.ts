import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatLsn, parseLsn, toLsn } from './lsn.ts';

const anyLsn = fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn }).map(toLsn);

test('parseLsn reads what formatLsn writes', () => {
  fc.assert(fc.property(anyLsn, (lsn) => parseLsn(formatLsn(lsn)) === lsn));
});

test('parseLsn reads both the unpadded form and the padded one of PostgreSQL 19', () => {
  assert.equal(parseLsn('0/2000028'), 0x2000028n);
  assert.equal(parseLsn('16/0B374D848'.replace('0B', 'B')), 0x16_b374_d848n);
  assert.equal(parseLsn('0/02000028'), 0x2000028n);
});

test('parseLsn gives nothing for what is no LSN', () => {
  for (const text of ['', '0', '0/', '/0', '0/000000001', 'g/0', '0/1 ', '-1/0', '0/1/2']) {
    assert.equal(parseLsn(text), undefined, text);
  }
});

test('toLsn refuses what does not fit 64 bits', () => {
  assert.throws(() => toLsn(-1), RangeError);
  assert.throws(() => toLsn(1n << 64n), RangeError);
});
