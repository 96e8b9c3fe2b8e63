import { TsbkError } from '../kernel/errors.ts';
import type { JsonObject, JsonValue } from './json-value.ts';

/*
 * Typed fields of a JSON object. Names match as Go reads them: exactly if the object has that very
 * key, otherwise whatever the case. `null` is as good as absent. What has another type than the
 * function's name says throws `record-invalid`, naming the document (`what`) and the field.
 */

const U64_MAX = 0xffff_ffff_ffff_ffffn;

/** The value as an object. Throws `record-invalid` if it is none. */
export function asObject(value: JsonValue | undefined, what: string): JsonObject {
  if (typeof value === 'object' && value !== null && !isList(value)) return value;
  throw new TsbkError('record-invalid', `${what} is not a JSON object`);
}

/** A field of any type. */
export function optionalField(object: JsonObject, name: string): JsonValue | undefined {
  return valueOf(object, name) ?? undefined;
}

/** A text. */
export function optionalString(o: JsonObject, name: string, what: string): string | undefined {
  const value = optionalField(o, name);
  if (value === undefined || typeof value === 'string') return value;
  throw wrong(what, name, 'not a text');
}

/** A truth value. */
export function optionalBoolean(o: JsonObject, name: string, what: string): boolean | undefined {
  const value = optionalField(o, name);
  if (value === undefined || typeof value === 'boolean') return value;
  throw wrong(what, name, 'neither true nor false');
}

/** An integer that a double holds exactly: sizes, counts, versions. */
export function optionalInteger(o: JsonObject, name: string, what: string): number | undefined {
  const value = optionalField(o, name);
  if (value === undefined) return undefined;
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value;
  throw wrong(what, name, 'not an integer below 2^53');
}

/** An unsigned 64-bit integer: LSNs and system identifiers. */
export function optionalU64(o: JsonObject, name: string, what: string): bigint | undefined {
  const value = optionalField(o, name);
  if (value === undefined) return undefined;
  const isInteger = typeof value === 'bigint' || Number.isSafeInteger(value);
  if (isInteger && (typeof value === 'bigint' || typeof value === 'number')) {
    const integer = BigInt(value);
    if (integer >= 0n && integer <= U64_MAX) return integer;
  }
  throw wrong(what, name, 'not an unsigned 64-bit integer');
}

/** A text that must be there. */
export function stringField(o: JsonObject, name: string, what: string): string {
  return present(optionalString(o, name, what), name, what);
}

/** An integer that must be there. */
export function integerField(o: JsonObject, name: string, what: string): number {
  return present(optionalInteger(o, name, what), name, what);
}

/** An unsigned 64-bit integer that must be there. */
export function u64Field(o: JsonObject, name: string, what: string): bigint {
  return present(optionalU64(o, name, what), name, what);
}

function present<T>(value: T | undefined, name: string, what: string): T {
  if (value === undefined) throw new TsbkError('record-invalid', `${what} has no ${name}`);
  return value;
}

function valueOf(object: JsonObject, name: string): JsonValue | undefined {
  if (Object.hasOwn(object, name)) return object[name];
  const folded = name.toLowerCase();
  const key = Object.keys(object).findLast((candidate) => candidate.toLowerCase() === folded);
  return key === undefined ? undefined : object[key];
}

function isList(value: readonly JsonValue[] | JsonObject): value is readonly JsonValue[] {
  return Array.isArray(value);
}

function wrong(what: string, name: string, problem: string): TsbkError {
  return new TsbkError('record-invalid', `${what}: ${name} is ${problem}`);
}
