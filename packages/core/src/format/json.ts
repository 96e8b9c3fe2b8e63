import { JsonParser, type JsonParserOptions } from './json-parser.ts';
import type { JsonObject, JsonValue } from './json-value.ts';

export type { JsonObject, JsonValue };

/**
 * Reads JSON text (RFC 8259, nothing beyond) with exact 64-bit integers, which `JSON.parse` rounds.
 * Throws `record-invalid`, naming the document and the character where it stops being JSON.
 */
export function parseJson(text: string, options: JsonParserOptions): JsonValue {
  return new JsonParser(text, options).document();
}

export interface StringifyJsonOptions {
  /**
   * Escape `<`, `>`, `&`, U+2028 and U+2029, as version 1 of Go's encoding/json does and WAL-G's
   * sentinels have it.
   */
  readonly goEscapes?: boolean;
  /** Write the keys of every object in the order of their UTF-8 bytes, as Go does with maps. */
  readonly sortKeys?: boolean;
}

/** JSON text without white space. Throws `TypeError` for what JSON cannot say: NaN, infinities. */
export function stringifyJson(value: JsonValue, options: StringifyJsonOptions = {}): string {
  if (value === null) return 'null';
  if (typeof value === 'string') return quoted(value, options);
  if (typeof value === 'number' && !Number.isFinite(value)) {
    throw new TypeError(`JSON has no number ${value}`);
  }
  if (typeof value !== 'object') return String(value);
  if (isList(value)) return `[${value.map((item) => stringifyJson(item, options)).join(',')}]`;
  return objectText(value, options);
}

const GO_ESCAPED = /[<>&\u2028\u2029]/g;

function objectText(object: JsonObject, options: StringifyJsonOptions): string {
  const keys = Object.keys(object);
  if (options.sortKeys === true)
    keys.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  let text = '';
  for (const key of keys) {
    const member = object[key];
    if (member === undefined) continue;
    const comma = text === '' ? '' : ',';
    text += `${comma}${quoted(key, options)}:${stringifyJson(member, options)}`;
  }
  return `{${text}}`;
}

function quoted(text: string, { goEscapes }: StringifyJsonOptions): string {
  const literal = JSON.stringify(text);
  if (goEscapes !== true) return literal;
  return literal.replace(
    GO_ESCAPED,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** `Array.isArray` does not tell TypeScript that what is no array is an object. */
function isList(value: readonly JsonValue[] | JsonObject): value is readonly JsonValue[] {
  return Array.isArray(value);
}
