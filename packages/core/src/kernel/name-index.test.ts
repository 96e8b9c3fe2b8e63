import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ExtendedNames, NameIndexBuilder, numberOf } from './name-index.ts';

test('a name index numbers names in the order of their first coming, whatever they are', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'grapheme', maxLength: 6 })), (names) => {
      const builder = new NameIndexBuilder();
      const expected = new Map<string, number>();
      for (const name of names) {
        if (!expected.has(name)) expected.set(name, expected.size);
        assert.equal(builder.add(name), expected.get(name));
      }
      const index = builder.index();
      assert.equal(index.count, expected.size);
      for (const [name, number] of expected) assert.equal(numberOf(index, name), number);
      assert.equal(numberOf(index, 'longer than any of them'), undefined);
    }),
  );
});

test('a name index finds everything again after it has grown, in less than 50 bytes a name', () => {
  const builder = new NameIndexBuilder();
  const names = Array.from({ length: 40_000 }, (_, i) => `/base/16384/${i}`);
  for (const name of names) builder.add(name);
  const index = builder.index();
  assert.ok(names.every((name, number) => numberOf(index, name) === number));
  assert.equal(numberOf(index, '/base/16384/40000'), undefined);
  const bytes = index.hashes.byteLength + index.slots.byteLength;
  assert.ok(bytes < 50 * names.length, `${bytes} bytes`);
});

test('a name index goes to another thread without being copied', () => {
  const builder = new NameIndexBuilder();
  builder.add('a');
  const index = structuredClone(builder.index());
  assert.equal(numberOf(index, 'a'), 0);
  assert.equal(index.slots.buffer instanceof SharedArrayBuffer, true);
});

test('extended names keep the numbers of the index, which does not change, and go on behind them', () => {
  const builder = new NameIndexBuilder();
  for (const name of ['a', 'b']) builder.add(name);
  const index = builder.index();
  const names = new ExtendedNames(index);
  assert.deepEqual(
    ['b', 'c', 'a', 'd', 'c'].map((name) => names.add(name)),
    [1, 2, 0, 3, 2],
  );
  assert.deepEqual(
    ['a', 'c', 'd', 'e'].map((name) => names.numberOf(name)),
    [0, 2, 3, undefined],
  );
  assert.equal(names.count, 4);
  assert.equal(numberOf(index, 'c'), undefined);
});
