import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isTsbkError, TsbkError } from '../../kernel/errors.ts';
import { fileError, isAbsent } from './errors.ts';

function system(code: string): Error {
  return Object.assign(new Error(`${code}: told so, write`), { code });
}

describe('an error of the file system', () => {
  const expected = {
    ENOSPC: 'store-full',
    EDQUOT: 'store-full',
    EFBIG: 'store-full',
    EACCES: 'store-denied',
    EROFS: 'store-denied',
    EIO: 'store-failed',
    ENOTDIR: 'store-failed',
    ESTALE: 'store-unreachable',
    ENAMETOOLONG: 'unsafe-name',
  } as const;
  for (const [code, meaning] of Object.entries(expected)) {
    it(`${code} is ${meaning}`, () => {
      const error = fileError(system(code), 'cannot write /r/a');
      assert.ok(isTsbkError(error, meaning));
      assert.match(error.message, /^cannot write \/r\/a: .*told so/);
    });
  }

  it('EIO is never tried again, too many open files are', () => {
    assert.equal((fileError(system('EIO'), 'x') as TsbkError).retry, false);
    assert.equal((fileError(system('EMFILE'), 'x') as TsbkError).retry, true);
  });

  it('which is none stays what it is', () => {
    for (const error of [new Error('a bug'), new TsbkError('store-full', 'x'), 'text', undefined]) {
      assert.equal(fileError(error, 'x'), error);
    }
  });

  it('means absence only for the path itself', () => {
    for (const code of ['ENOENT', 'ENOTDIR']) assert.equal(isAbsent(system(code)), true);
    for (const code of ['EACCES', 'EIO', 'ELOOP']) assert.equal(isAbsent(system(code)), false);
  });
});
