import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TsbkError } from '@tsbk/core/kernel/errors';
import { errorJson, errorText } from './error-text.ts';

describe('an error for people', () => {
  it('says what happened, its code, and what to do next', () => {
    const error = new TsbkError('store-full', '/b is full', { hint: 'Make room.' });
    assert.equal(errorText(error), 'tsbk: /b is full [store-full]\nhint: Make room.\n');
  });

  it('that is a bug has its stack, and asks to be reported', () => {
    const text = errorText(new RangeError('boom'));
    assert.match(text, /^tsbk: internal error, please report it: RangeError: boom\n {4}at /);
  });
});

describe('an error for machines', () => {
  it('is one line of JSON with code, message, hint and exit code', () => {
    const line = errorJson(new TsbkError('store-full', 'a\nb', { hint: 'c' }), 75);
    assert.equal(line.indexOf('\n'), line.length - 1);
    assert.deepEqual(JSON.parse(line), {
      kind: 'error',
      code: 'store-full',
      message: 'a\nb',
      hint: 'c',
      exitCode: 75,
    });
  });

  it('that is a bug has the code internal', () => {
    assert.equal((JSON.parse(errorJson('thrown text', 70)) as { code: string }).code, 'internal');
  });
});
