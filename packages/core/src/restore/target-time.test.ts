import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isTsbkError } from '../kernel/errors.ts';
import { formatInstant, formatPostgresTime, toInstant } from '../kernel/instant.ts';
import { parseTargetTime } from './target-time.ts';

const PRAGUE = { localZone: 'Europe/Prague' };

function refusal(text: string, zone = PRAGUE): string {
  try {
    parseTargetTime(text, zone);
  } catch (error) {
    assert.ok(isTsbkError(error, 'usage'));
    return `${error.message}. ${error.hint}`;
  }
  throw new Error(`${text} was not refused`);
}

describe('parseTargetTime', () => {
  it('reads what RFC 3339 and PostgreSQL write', () => {
    for (const [text, utc] of [
      ['2026-11-22T10:00:00Z', '2026-11-22T10:00:00Z'],
      ['2026-11-22t10:00:00.5z', '2026-11-22T10:00:00.5Z'],
      ['2026-11-22 10:00:00+01', '2026-11-22T09:00:00Z'],
      ['2026-11-22 10:00:00.123456+0530', '2026-11-22T04:30:00.123456Z'],
      ['2026-11-22 10:00-03:30', '2026-11-22T13:30:00Z'],
      ['2026-11-22 10:00:00 UTC', '2026-11-22T10:00:00Z'],
      ['1890-01-01 00:00:00+00:57:44', '1889-12-31T23:02:16Z'],
      ['2026-11-22 10:00:00.123456000Z', '2026-11-22T10:00:00.123456Z'],
    ] as const) {
      assert.equal(formatInstant(parseTargetTime(text, PRAGUE)), utc, text);
    }
  });

  it('reads back every microsecond it writes', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 55n), max: 2n ** 57n }), (microseconds) => {
        const time = toInstant(microseconds * 1000n);
        assert.equal(parseTargetTime(formatPostgresTime(time), PRAGUE), time);
      }),
    );
  });

  it('refuses a time without zone and shows both readings', () => {
    const winter = refusal('2026-11-22 10:00:00');
    assert.match(winter, /'2026-11-22 10:00:00\+00' \(UTC\)/);
    assert.match(winter, /'2026-11-22 10:00:00\+01' \(Europe\/Prague\)/);
    assert.match(refusal('2026-07-22 10:00:00'), /10:00:00\+02'/);
    assert.match(
      refusal('2026-07-22 10:00', { localZone: 'America/St_Johns' }),
      /'2026-07-22 10:00-02:30' \(America\/St_Johns\)/,
    );
  });

  it('shows one reading where the local zone is UTC', () => {
    assert.doesNotMatch(refusal('2026-11-22 10:00:00', { localZone: 'UTC' }), / or /);
  });

  it('takes the offset of the right side when clocks change', () => {
    assert.match(refusal('2026-10-25 03:30:00'), /03:30:00\+01'/);
    assert.match(refusal('2026-10-25 01:30:00'), /01:30:00\+02'/);
    assert.match(refusal('2026-03-29 03:30:00'), /03:30:00\+02'/);
  });

  it('refuses what is no time', () => {
    for (const text of [
      'yesterday',
      '2026-11-22',
      '2026-02-30 10:00:00Z',
      '2026-11-22 24:00:00Z',
      '2026-11-22 10:00:60Z',
      '2026-11-22 10:00:00 CET',
      '2026-11-22 10:00:00+17',
      '2026-11-22 10:00:00Z; drop',
    ]) {
      assert.match(refusal(text), /is no time/, text);
    }
  });

  it('refuses what PostgreSQL could not tell apart', () => {
    assert.match(refusal('2026-11-22 10:00:00.1234567Z'), /finer than a microsecond/);
  });
});
