import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isTsbkError } from '../kernel/errors.ts';
import {
  asObject,
  integerField,
  optionalBoolean,
  optionalField,
  optionalInteger,
  optionalString,
  optionalU64,
  stringField,
  u64Field,
} from './json-fields.ts';

const what = 'sentinel';

function isInvalid(error: unknown): boolean {
  return isTsbkError(error, 'record-invalid') && error.message.includes(what);
}

describe('asObject', () => {
  it('gives objects and refuses everything else', () => {
    const object = { a: 1 };
    assert.equal(asObject(object, what), object);
    for (const value of [null, undefined, 1, 'x', true, 1n, []]) {
      assert.throws(() => asObject(value, what), isInvalid);
    }
  });
});

describe('optional fields', () => {
  it('match names whatever the case, the exact one first', () => {
    assert.equal(optionalField({ lsn: 1, LSN: 2 }, 'LSN'), 2);
    assert.equal(optionalField({ lsn: 1, Lsn: 2 }, 'LSN'), 2);
    assert.equal(optionalField({ spec: 'x' }, 'Spec'), 'x');
  });

  it('are absent when they are null', () => {
    assert.equal(optionalField({ a: null }, 'a'), undefined);
    assert.equal(optionalString({ a: null }, 'a', what), undefined);
    assert.equal(optionalU64({}, 'a', what), undefined);
  });

  it('do not come from the prototype', () => {
    assert.equal(optionalField({}, 'constructor'), undefined);
    assert.equal(optionalField({}, 'toString'), undefined);
  });

  it('have the type asked for', () => {
    const object = { s: '', b: false, i: 0, u: 18446744073709551615n };
    assert.equal(optionalString(object, 's', what), '');
    assert.equal(optionalBoolean(object, 'b', what), false);
    assert.equal(optionalInteger(object, 'i', what), 0);
    assert.equal(optionalU64(object, 'i', what), 0n);
    assert.equal(optionalU64(object, 'u', what), 18446744073709551615n);
  });

  it('refuse another type and integers out of range', () => {
    const object = { s: '1', n: 1.5, b: true, neg: -1, big: 2n ** 53n, huge: 2n ** 64n };
    assert.throws(() => optionalString(object, 'n', what), isInvalid);
    assert.throws(() => optionalBoolean(object, 's', what), isInvalid);
    assert.throws(() => optionalInteger(object, 'n', what), isInvalid);
    assert.throws(() => optionalInteger(object, 'big', what), isInvalid);
    for (const name of ['s', 'n', 'b', 'neg', 'huge']) {
      assert.throws(() => optionalU64(object, name, what), isInvalid, name);
    }
  });
});

describe('required fields', () => {
  it('give what is there and refuse what is not', () => {
    assert.equal(stringField({ a: 'x' }, 'a', what), 'x');
    assert.equal(integerField({ a: 1 }, 'a', what), 1);
    assert.equal(u64Field({ a: 1 }, 'a', what), 1n);
    for (const field of [stringField, integerField, u64Field]) {
      assert.throws(() => field({ a: null }, 'a', what), isInvalid);
    }
  });
});
