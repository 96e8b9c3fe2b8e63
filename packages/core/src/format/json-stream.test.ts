import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isTsbkError } from '../kernel/errors.ts';
import { chunked } from '../stream/chunked.ts';
import { parseJson, stringifyJson, type JsonValue } from './json.ts';
import { readJson, type JsonEvents } from './json-stream.ts';

/** Puts the value together again from the events of a document. */
async function rebuilt(text: string | Uint8Array, sizes: readonly number[]): Promise<JsonValue> {
  const open: { readonly value: JsonValue[] | Record<string, JsonValue>; key: string }[] = [];
  let root: JsonValue = null;
  const take = (value: JsonValue): void => {
    const parent = open.at(-1);
    if (parent === undefined) root = value;
    else if (Array.isArray(parent.value)) parent.value.push(value);
    else {
      const own = { value, writable: true, enumerable: true, configurable: true };
      Object.defineProperty(parent.value, parent.key, own);
    }
  };
  const events: JsonEvents = {
    open: (kind) => {
      const value = kind === 'array' ? [] : {};
      take(value);
      open.push({ value, key: '' });
    },
    close: () => void open.pop(),
    key: (name) => {
      const parent = open.at(-1);
      if (parent !== undefined) parent.key = name;
    },
    value: take,
  };
  await readJson(chunked(Buffer.from(text), sizes), { what: 'document', events });
  return root;
}

/** What can be put into a document to spoil it. */
const SPOILERS = ['{', '}', '[', ']', '"', ',', ':', '\\', '0', '-', 'e', ' ', 't', '\u0001', ''];
const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 });
const value = fc.jsonValue({ stringUnit: 'grapheme' });

test('a JSON document that streams by is what it is in one piece, wherever it is cut', async () => {
  const spaces = fc.constantFrom(undefined, 1, '\t');
  await fc.assert(
    fc.asyncProperty(value, sizes, spaces, async (given, cuts, space) => {
      const text = JSON.stringify(given, null, space);
      assert.deepEqual(await rebuilt(text, cuts), parseJson(text, { what: 'document' }));
    }),
    { numRuns: 300 },
  );
});

test('a JSON document that streams by is refused where the whole one is', async () => {
  const spoiled = fc
    .tuple(value, fc.nat(), fc.constantFrom(...SPOILERS), fc.nat({ max: 2 }))
    .map(([given, at, what, dropped]) => {
      const text = stringifyJson(given as JsonValue);
      const place = at % (text.length + 1);
      return (text.slice(0, place) + what + text.slice(place + dropped)).toWellFormed();
    });
  await fc.assert(
    fc.asyncProperty(spoiled, sizes, async (text, cuts) => {
      let expected: JsonValue | undefined;
      try {
        expected = parseJson(text, { what: 'document' });
      } catch {
        await assert.rejects(rebuilt(text, cuts), (error) => isTsbkError(error, 'record-invalid'));
        return;
      }
      assert.deepEqual(await rebuilt(text, cuts), expected);
    }),
    { numRuns: 1000 },
  );
});

test('a JSON document that streams by keeps 64-bit integers, and says where it is wrong', async () => {
  assert.deepEqual(await rebuilt('[18446744073709551615,0,-0.5e1]', [3]), [
    18_446_744_073_709_551_615n,
    0,
    -5,
  ]);
  await assert.rejects(rebuilt('{"a":1,}', [2]), /document is not valid JSON.*character 8/);
  await assert.rejects(rebuilt('', [1]), /more expected/);
  await assert.rejects(rebuilt(Buffer.from([0x22, 0xff, 0x22]), [1]), /UTF-8/);
  await assert.rejects(rebuilt('['.repeat(65), [7]), /deeper than 64/);
  await assert.rejects(rebuilt(`"${'x'.repeat(2_000_000)}"`, [65_536]), /too long/);
});
