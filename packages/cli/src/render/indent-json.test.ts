import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { indentJson } from './indent-json.ts';

test('indentJson keeps what the text says', () => {
  fc.assert(
    fc.property(fc.json(), (json) => {
      assert.deepEqual(JSON.parse(indentJson(json, 4)), JSON.parse(json));
    }),
  );
});

test('indentJson lays out as JSON.stringify does', () => {
  const value = { a: [1, { b: [] }, 'x,{}"'], c: {}, d: null };
  assert.equal(indentJson(JSON.stringify(value), 2), JSON.stringify(value, null, 2));
});

test('indentJson keeps every digit of a 64-bit integer', () => {
  assert.equal(indentJson('{"id":18446744073709551615}', 1), '{\n "id": 18446744073709551615\n}');
});
