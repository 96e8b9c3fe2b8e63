import { HEADER_FIELDS, TAR_BLOCK_BYTES } from './header.ts';
import { decodeNumber, encodeOctal } from './number-field.ts';

const { checksum } = HEADER_FIELDS;
const CHECKSUM_END = checksum.offset + checksum.bytes;
/** The sum takes its own field for spaces. */
const SPACES = checksum.bytes * 0x20;

/** Whether a header block has the right checksum. Old tars summed signed bytes: both are right. */
export function isChecksumRight(block: Uint8Array): boolean {
  const expected = decodeNumber(block, checksum);
  return expected === unsignedSum(block) || expected === signedSum(block);
}

/** Puts the checksum into a header block that is otherwise complete. */
export function putChecksum(block: Uint8Array): void {
  // Six digits, a NUL and a space, unlike all other numbers.
  encodeOctal(block, { offset: checksum.offset, bytes: checksum.bytes - 1 }, unsignedSum(block));
  block[CHECKSUM_END - 1] = 0x20;
}

function unsignedSum(block: Uint8Array): number {
  let sum = SPACES;
  for (let index = 0; index < checksum.offset; index += 1) sum += block[index] ?? 0;
  for (let index = CHECKSUM_END; index < TAR_BLOCK_BYTES; index += 1) sum += block[index] ?? 0;
  return sum;
}

function signedSum(block: Uint8Array): number {
  const outside = [...block.subarray(0, checksum.offset), ...block.subarray(CHECKSUM_END)];
  return outside.reduce((sum, byte) => sum + (byte < 0x80 ? byte : byte - 0x100), SPACES);
}
