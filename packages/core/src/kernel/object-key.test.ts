import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isTsbkError } from './errors.ts';
import { checkKeyPrefix, checkObjectKey, compareKeys, isObjectKey } from './object-key.ts';

const unsafe = (error: unknown): boolean => isTsbkError(error, 'unsafe-name');

describe('object keys', () => {
  it('with any printable character are taken', () => {
    for (const key of ['a', 'wal_005/0001.lz4', 'a b+c&d%e~f', 'ü/ß', '…/..a', 'a\\b', '𝄞']) {
      assert.equal(isObjectKey(key), true, key);
      checkObjectKey(key);
    }
  });

  it('that lead elsewhere or cannot be written down are refused', () => {
    const bad = ['', '/', '/a', 'a/', 'a//b', '.', '..', 'a/../b', './a', 'a\0b', 'a\nb', '\ud800'];
    for (const key of bad) assert.throws(() => checkObjectKey(key), unsafe, JSON.stringify(key));
  });

  it('prefixes are empty or end in one slash', () => {
    for (const prefix of ['', 'a/', 'a/b/']) checkKeyPrefix(prefix);
    for (const prefix of ['a', '/', 'a//', '../']) {
      assert.throws(() => checkKeyPrefix(prefix), unsafe, prefix);
    }
  });

  it('are ordered as their UTF-8 bytes', () => {
    const unit = fc.constantFrom('a', 'b', '/', '.', 'é', '\ue000', '\uffff', '𝄞', '\u{10ffff}');
    fc.assert(
      fc.property(fc.string({ unit }), fc.string({ unit }), (left, right) => {
        const expected = Buffer.compare(Buffer.from(left), Buffer.from(right));
        assert.equal(Math.sign(compareKeys(left, right)), expected);
      }),
    );
  });
});
