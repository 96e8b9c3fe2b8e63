import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isTsbkError } from '../kernel/errors.ts';
import { parseServerVersion } from './server-version.ts';

describe('parseServerVersion', () => {
  for (const [text, number] of [
    ['13.23', 130023],
    ['17.10 (Debian 17.10-1.pgdg13+1)', 170010],
    ['18beta2', 180000],
    ['19devel', 190000],
  ] as const) {
    it(`reads ${text}`, () => assert.equal(parseServerVersion(text).number, number));
  }

  for (const text of ['12.22', '9.6.24', '', 'devel', '8.0.30-MySQL']) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(
        () => parseServerVersion(text),
        (error) => isTsbkError(error, 'server-unsupported'),
      );
    });
  }
});
