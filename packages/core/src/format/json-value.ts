/** Integers beyond ±(2^53−1) are `bigint`, all other numbers are `number`. */
export type JsonValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | readonly JsonValue[]
  | JsonObject;

/** A key with the value `undefined` is not written. Reading makes none. */
export interface JsonObject {
  readonly [key: string]: JsonValue | undefined;
}
