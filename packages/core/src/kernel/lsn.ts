/**
 * A position in the write-ahead log: a byte offset from the start of the cluster's WAL,
 * as unsigned 64-bit (PostgreSQL docs, "pg_lsn Type").
 */
export type Lsn = bigint & { readonly __brand: 'Lsn' };

const LSN_TEXT = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/;
const U64_MAX = 0xffff_ffff_ffff_ffffn;

/** Brands an integer as an LSN. Throws `RangeError` outside the unsigned 64-bit range. */
export function toLsn(value: bigint | number): Lsn {
  const lsn = BigInt(value);
  if (lsn < 0n || lsn > U64_MAX) throw new RangeError(`not an LSN: ${lsn}`);
  return lsn as Lsn;
}

/**
 * Reads PostgreSQL's text form `X/X`. Both halves may be padded with zeros or not: servers
 * up to 18 print `%X/%X`, 19 prints `%X/%08X`. `undefined` when the text is no LSN.
 */
export function parseLsn(text: string): Lsn | undefined {
  const match = LSN_TEXT.exec(text);
  if (match === null) return undefined;
  return ((BigInt(`0x${match[1]}`) << 32n) | BigInt(`0x${match[2]}`)) as Lsn;
}

/** PostgreSQL's text form, `16/B374D848`. */
export function formatLsn(lsn: Lsn): string {
  return `${(lsn >> 32n).toString(16)}/${(lsn & 0xffff_ffffn).toString(16)}`.toUpperCase();
}
