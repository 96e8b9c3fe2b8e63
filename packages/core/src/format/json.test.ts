import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isTsbkError } from '../kernel/errors.ts';
import { parseJson, stringifyJson, type JsonValue } from './json.ts';

const what = 'test.json';

function isInvalid(error: unknown): boolean {
  return isTsbkError(error, 'record-invalid');
}

describe('parseJson', () => {
  it('keeps integers exact that a double would round', () => {
    const text = '[7710781881545605755,-9223372036854775808,9007199254740991,9007199254740992]';
    assert.deepEqual(parseJson(text, { what }), [
      7710781881545605755n,
      -9223372036854775808n,
      9007199254740991,
      9007199254740992n,
    ]);
  });

  it('reads what JSON.parse reads, to the same value', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), fc.nat(3), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        assert.deepEqual(parseJson(text, { what }), exact(JSON.parse(text)));
      }),
    );
  });

  it('accepts and refuses what JSON.parse accepts and refuses', () => {
    const piece = fc.constantFrom(
      ...'{}[],:"\\u0041tfn-+.eE012 \t\n\r\0é/'.split(''),
      'true',
      'null',
      '"a":',
      '1.5',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        const text = pieces.join('');
        let expected: unknown;
        try {
          expected = JSON.parse(text);
        } catch {
          assert.throws(() => parseJson(text, { what }), isInvalid, text);
          return;
        }
        if (!/[eE]/.test(text)) assert.deepEqual(parseJson(text, { what }), exact(expected));
      }),
      { numRuns: 3000 },
    );
  });

  it('reads every escape', () => {
    const text = String.raw`"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00x"`;
    assert.equal(parseJson(text, { what }), '"\\/\b\f\n\r\t\u00e9\ud83d\ude00x');
  });

  it('gives keys that come again exactly as they are written', () => {
    const keys = ['a', 'ab', 'ba', '', 'a\\b', '\\\\', '"', 'IsSkipped', '\u0000', 'é'];
    const objects = Array.from({ length: 50 }, (_, turn) =>
      Object.fromEntries(keys.slice(turn % keys.length).map((key, index) => [key, index])),
    );
    assert.deepEqual(parseJson(JSON.stringify(objects), { what }), objects);
  });

  it('makes __proto__ a key like any other', () => {
    const value = parseJson('{"__proto__":{"x":1}}', { what });
    assert.ok(typeof value === 'object' && value !== null);
    assert.deepEqual(Object.keys(value), ['__proto__']);
    assert.equal(Object.getPrototypeOf(value), Object.prototype);
  });

  it('refuses numbers that are none, empty text, comments and trailing commas', () => {
    const bad = ['', ' ', '01', '-', '1.', '.5', '+1', '1e', '0x1', 'NaN', '1e999', '-01', '1 2'];
    bad.push('[1,]', '{"a":1,}', '{a:1}', "{'a':1}", '//x\n1', '\ufeff1', '"\n"', '"abc', '"\\x"');
    bad.push('"\\u12g4"', 'tru', 'nul', '[', '{', '{"a"', '{"a":', '[1', '"\\', '\u00a01');
    for (const text of bad)
      assert.throws(() => parseJson(text, { what }), isInvalid, JSON.stringify(text));
  });

  it('refuses what nests deeper than it may', () => {
    const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
    assert.doesNotThrow(() => parseJson(nested(64), { what }));
    assert.throws(() => parseJson(nested(65), { what }), isInvalid);
    assert.throws(() => parseJson('{"a":'.repeat(100_000), { what }), isInvalid);
    assert.throws(() => parseJson(nested(4), { what, maxDepth: 3 }), isInvalid);
  });

  it('refuses a key that is there twice where that is asked, else takes the last', () => {
    const text = '{"a":1,"a":2}';
    assert.deepEqual(parseJson(text, { what }), { a: 2 });
    assert.throws(() => parseJson(text, { what, duplicateKeys: 'refuse' }), /"a" is there twice/);
  });

  it('names the document and the place', () => {
    assert.throws(() => parseJson('{"a":x}', { what }), /test\.json .* character 6/);
    assert.throws(() => parseJson('{"a":1', { what }), /at its end/);
  });
});

describe('stringifyJson', () => {
  it('writes what parseJson reads', () => {
    const integer = fc.bigInt(-(2n ** 63n), 2n ** 64n);
    const leaf = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.boolean(),
      fc.constant(null),
      // JSON.stringify writes -0 as 0.
      fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0),
      integer.map((value) => exact(value)),
    );
    const tree = fc.letrec<{ value: JsonValue }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        leaf,
        fc.array(tie('value'), { maxLength: 4 }),
        fc.dictionary(fc.string(), tie('value'), { maxKeys: 4, noNullPrototype: true }),
      ),
    })).value;
    fc.assert(
      fc.property(tree, fc.boolean(), fc.boolean(), (value, goEscapes, sortKeys) => {
        const text = stringifyJson(value, { goEscapes, sortKeys });
        assert.deepEqual(parseJson(text, { what }), exact(value));
      }),
    );
  });

  it('writes what JSON.stringify writes', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        assert.equal(stringifyJson(value as JsonValue), JSON.stringify(value));
      }),
    );
  });

  it('writes 64-bit integers as plain numbers', () => {
    assert.equal(stringifyJson({ LSN: 18446744073709551615n }), '{"LSN":18446744073709551615}');
  });

  it('escapes as Go does where that is asked', () => {
    const text = '<a href="x">&\u2028\u2029\u001f</a>é';
    const escaped = String.raw`"\u003ca href=\"x\"\u003e\u0026\u2028\u2029\u001f\u003c/a\u003eé"`;
    assert.equal(stringifyJson(text, { goEscapes: true }), escaped);
    assert.equal(stringifyJson(text), '"<a href=\\"x\\">&\u2028\u2029\\u001f</a>é"');
  });

  it('sorts keys by their UTF-8 bytes, as Go does with maps', () => {
    const object = { b: 1, a: { '\u{10000}': 1, '\uffee': 2 }, B: 3, '10': 4, '9': 5 };
    const sorted = '{"10":4,"9":5,"B":3,"a":{"\uffee":2,"\u{10000}":1},"b":1}';
    assert.equal(stringifyJson(object, { sortKeys: true }), sorted);
  });

  it('leaves out keys without a value', () => {
    assert.equal(stringifyJson({ a: undefined, b: 1, c: undefined }), '{"b":1}');
  });

  it('refuses NaN and infinities', () => {
    for (const value of [Number.NaN, Infinity, -Infinity]) {
      assert.throws(() => stringifyJson([value]), TypeError);
    }
  });
});

/** A value with its large integers as `parseJson` gives them. */
function exact(value: unknown): JsonValue {
  if (typeof value === 'bigint') {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }
  if (Array.isArray(value)) return value.map(exact);
  if (typeof value !== 'object' || value === null) {
    const isLarge =
      typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value);
    return isLarge && Math.abs(value) < 1e21 ? BigInt(String(value)) : (value as JsonValue);
  }
  return objectOf(Object.entries(value).map(([key, member]) => [key, exact(member)]));
}

function objectOf(entries: readonly (readonly [string, JsonValue])[]): JsonValue {
  return Object.fromEntries(entries);
}
