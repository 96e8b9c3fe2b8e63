import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  ceilToMicrosecond,
  formatInstant,
  instantToMs,
  parseInstant,
  toInstant,
} from './instant.ts';

/** Years 0001 to 9999, which RFC 3339 can write. */
const instants = fc
  .bigInt({ min: -62_135_596_800_000_000_000n, max: 253_402_300_799_999_999_999n })
  .map(toInstant);

test('parseInstant reads what formatInstant writes, to the nanosecond', () => {
  fc.assert(fc.property(instants, (instant) => parseInstant(formatInstant(instant)) === instant));
});

test('parseInstant reads offsets and Go’s trimmed fractions', () => {
  const utc = parseInstant('2026-08-21T18:02:35.123457Z');
  assert.equal(parseInstant('2026-08-21T20:02:35.123457+02:00'), utc);
  assert.equal(parseInstant('2026-08-21T12:32:35.123457-05:30'), utc);
  assert.equal(formatInstant(utc ?? toInstant(0n)), '2026-08-21T18:02:35.123457Z');
  assert.equal(instantToMs(utc ?? toInstant(0n)), Date.UTC(2026, 7, 21, 18, 2, 35, 123));
});

test('parseInstant gives nothing for what is no moment', () => {
  const wrong = ['2026-08-21', '2026-13-01T00:00:00Z', '2026-08-21T18:02:35', 'now', ''];
  for (const text of wrong) assert.equal(parseInstant(text), undefined, text);
});

test('ceilToMicrosecond never goes back and never a whole microsecond forward', () => {
  fc.assert(
    fc.property(instants, (instant) => {
      const rounded = ceilToMicrosecond(instant);
      return rounded % 1000n === 0n && rounded >= instant && rounded - instant < 1000n;
    }),
  );
});
