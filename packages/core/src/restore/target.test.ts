import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isTsbkError } from '../kernel/errors.ts';
import {
  describeTarget,
  parseTarget,
  parseTargetAction,
  parseTimelineChoice,
  type TargetTexts,
} from './target.ts';

const parse = (texts: TargetTexts) => parseTarget(texts, { localZone: 'UTC' });
const isUsage = (error: unknown): boolean => isTsbkError(error, 'usage');

describe('parseTarget', () => {
  it('means the end of the archive when nothing is said', () => {
    assert.deepEqual(parse({}), { kind: 'latest' });
  });

  it('reads each kind', () => {
    assert.deepEqual(parse({ immediate: true }), { kind: 'immediate' });
    assert.deepEqual(parse({ name: 'x' }), { kind: 'name', name: 'x' });
    assert.deepEqual(parse({ lsn: '16/B374D848' }), {
      kind: 'lsn',
      lsn: 0x16_b374_d848n,
      inclusive: true,
    });
    assert.deepEqual(parse({ xid: '731', exclusive: true }), {
      kind: 'xid',
      xid: 731,
      inclusive: false,
    });
  });

  it('takes the part of a 64-bit transaction id that the WAL has', () => {
    const xid = String((3n << 32n) | 731n);
    assert.deepEqual(parse({ xid }), { kind: 'xid', xid: 731, inclusive: true });
  });

  it('refuses two targets', () => {
    assert.throws(() => parse({ lsn: '0/1', name: 'x' }), isUsage);
    assert.throws(() => parse({ immediate: true, xid: '731' }), isUsage);
  });

  it('refuses to exclude what has no "before"', () => {
    for (const texts of [{}, { immediate: true }, { name: 'x' }]) {
      assert.throws(() => parse({ ...texts, exclusive: true }), isUsage);
    }
  });

  it('refuses what PostgreSQL would', () => {
    const names = ['', 'x'.repeat(64), 'ř'.repeat(32), 'a\0b'];
    for (const name of names) assert.throws(() => parse({ name }), isUsage, name);
    for (const xid of ['', '0', '2', '-5', '0x10', '1e3', '99999999999999999999']) {
      assert.throws(() => parse({ xid }), isUsage, xid);
    }
    for (const lsn of ['', '0', '0/0', '1/2/3', '1/100000000', 'G/1']) {
      assert.throws(() => parse({ lsn }), isUsage, lsn);
    }
  });
});

describe('parseTimelineChoice', () => {
  it('reads words and numbers, also as in WAL file names', () => {
    assert.equal(parseTimelineChoice('latest'), 'latest');
    assert.equal(parseTimelineChoice('current'), 'current');
    assert.equal(parseTimelineChoice('10'), 10);
    assert.equal(parseTimelineChoice('0x0000000A'), 10);
  });

  it('refuses what is no timeline', () => {
    for (const text of ['', '0', '-1', 'newest', '4294967296', '1.5', '0000000A']) {
      assert.throws(() => parseTimelineChoice(text), isUsage, text);
    }
  });
});

describe('parseTargetAction', () => {
  it('refuses what PostgreSQL does not know', () => {
    assert.equal(parseTargetAction('pause'), 'pause');
    assert.throws(() => parseTargetAction('stop'), isUsage);
  });
});

describe('describeTarget', () => {
  it('says which edge is meant', () => {
    assert.equal(describeTarget(parse({ lsn: '0/5000060' })), 'LSN 0/5000060');
    assert.equal(
      describeTarget(parse({ time: '2026-11-22 10:00:00Z', exclusive: true })),
      'time 2026-11-22 10:00:00+00, exclusive',
    );
  });
});
