/** `pg_control`'s system identifier: unsigned 64-bit, made at initdb, the same on all standbys. */
export type SystemId = bigint & { readonly __brand: 'SystemId' };

/** Brands an integer; a negative one is the same bits read as a signed 64-bit number. */
export function toSystemId(value: bigint | number | string): SystemId {
  return BigInt.asUintN(64, BigInt(value)) as SystemId;
}
