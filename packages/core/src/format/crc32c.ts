import { createRequire } from 'node:module';
import type * as crc32Addon from '@node-rs/crc32';

/**
 * CRC-32C (Castagnoli), with which PostgreSQL protects WAL records, `pg_control` and, by default,
 * the files of a backup manifest. `previous` is the CRC of what came before `bytes`, so that a
 * stream can be summed chunk by chunk; 0 at the start. The result is unsigned. Long input goes to the
 * processor's own instruction where the optional native addon loads.
 */
export function crc32c(bytes: Uint8Array, previous = 0): number {
  if (bytes.length >= NATIVE_BYTES) {
    native ??= loadNative();
    return native(bytes, previous);
  }
  return portableCrc32c(bytes, previous);
}

/** The same in JavaScript alone. */
export function portableCrc32c(bytes: Uint8Array, previous = 0): number {
  // Not when this is loaded: a push has a few bytes to sum, and is started for each segment.
  tables ??= makeTables();
  const byteTable = tables;
  const isShort = bytes.length < SHORT_BYTES;
  const summed = isShort ? 0 : Math.floor(bytes.length / BLOCK_BYTES) * BLOCK_BYTES;
  let crc = isShort ? ~previous : sumBlocks(tables, bytes.subarray(0, summed), ~previous);
  for (let index = summed; index < bytes.length; index += 1) {
    crc = (crc >>> 8) ^ (byteTable[(crc ^ (bytes[index] ?? 0)) & 0xff] ?? 0);
  }
  return ~crc >>> 0;
}

/**
 * A CRC as a backup manifest has it: its four bytes in the order they have in memory, so reversed
 * against how the number is written.
 */
export function crc32cHex(crc: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(crc);
  return bytes.toString('hex');
}

/** Below this a call of the addon costs more than it saves. */
const NATIVE_BYTES = 4096;
let native: typeof portableCrc32c | undefined;

function loadNative(): typeof portableCrc32c {
  const require = createRequire(import.meta.url);
  try {
    return (require('@node-rs/crc32') as typeof crc32Addon).crc32c;
  } catch {
    return portableCrc32c;
  }
}

/** Bytes summed in one step, each with a table of its own ("slicing by 16"). */
const BLOCK_BYTES = 16;
/** Below this, one byte after the other is faster than setting up for blocks. */
const SHORT_BYTES = 64;
const POLYNOMIAL = 0x82f63b78;
let tables: Int32Array | undefined;

// Every index below is within the tables, which the type of a typed array does not say.
function sumBlocks(t: Int32Array, bytes: Uint8Array, start: number): number {
  const { length } = bytes;
  const view = new DataView(bytes.buffer, bytes.byteOffset, length);
  let crc = start;
  for (let at = 0; at < length; at += BLOCK_BYTES) {
    const a = crc ^ view.getInt32(at, true);
    const b = view.getInt32(at + 4, true);
    const c = view.getInt32(at + 8, true);
    const d = view.getInt32(at + 12, true);
    crc =
      (t[0xf00 | (a & 0xff)] as number) ^
      (t[0xe00 | ((a >>> 8) & 0xff)] as number) ^
      (t[0xd00 | ((a >>> 16) & 0xff)] as number) ^
      (t[0xc00 | (a >>> 24)] as number) ^
      (t[0xb00 | (b & 0xff)] as number) ^
      (t[0xa00 | ((b >>> 8) & 0xff)] as number) ^
      (t[0x900 | ((b >>> 16) & 0xff)] as number) ^
      (t[0x800 | (b >>> 24)] as number) ^
      (t[0x700 | (c & 0xff)] as number) ^
      (t[0x600 | ((c >>> 8) & 0xff)] as number) ^
      (t[0x500 | ((c >>> 16) & 0xff)] as number) ^
      (t[0x400 | (c >>> 24)] as number) ^
      (t[0x300 | (d & 0xff)] as number) ^
      (t[0x200 | ((d >>> 8) & 0xff)] as number) ^
      (t[0x100 | ((d >>> 16) & 0xff)] as number) ^
      (t[d >>> 24] as number);
  }
  return crc;
}

/** Table `k` holds what a byte does to the CRC when `k` more bytes follow it. */
function makeTables(): Int32Array {
  const tables = new Int32Array(BLOCK_BYTES * 256);
  for (let byte = 0; byte < 256; byte += 1) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit += 1)
      crc = (crc & 1) === 0 ? crc >>> 1 : (crc >>> 1) ^ POLYNOMIAL;
    tables[byte] = crc;
  }
  for (let index = 256; index < tables.length; index += 1) {
    const before = tables[index - 256] ?? 0;
    tables[index] = (before >>> 8) ^ (tables[before & 0xff] ?? 0);
  }
  return tables;
}
