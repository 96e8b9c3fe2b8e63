import type { HeaderField } from './header.ts';

const SPACE = 0x20;
const DIGIT_0 = 0x30;
const DIGIT_7 = 0x37;

/**
 * Reads a number of a header block: octal digits, after spaces if need be, ended by spaces or NULs
 * or the field's end; or base-256, marked by the top bit of the first byte, two's complement from
 * the bit below it. An empty field is 0. `undefined` for anything else and for numbers that are
 * not exact in a double.
 */
export function decodeNumber(block: Uint8Array, field: HeaderField): number | undefined {
  const first = block[field.offset] ?? 0;
  return first < 0x80 ? decodeOctal(block, field) : decodeBase256(block, field);
}

/** Largest number that fits a field as octal digits and the NUL after them. */
export function octalMax(field: HeaderField): number {
  return 8 ** (field.bytes - 1) - 1;
}

/** Writes octal digits and a NUL. The caller has checked that the number fits. */
export function encodeOctal(block: Uint8Array, field: HeaderField, value: number): void {
  const digits = value.toString(8).padStart(field.bytes - 1, '0');
  for (let index = 0; index < digits.length; index += 1) {
    block[field.offset + index] = digits.charCodeAt(index);
  }
  block[field.offset + field.bytes - 1] = 0;
}

function decodeOctal(block: Uint8Array, field: HeaderField): number | undefined {
  const end = field.offset + field.bytes;
  let index = skipBlanks(block, field.offset, end);
  let value = 0;
  for (; index < end; index += 1) {
    const byte = block[index] ?? 0;
    if (byte < DIGIT_0 || byte > DIGIT_7) break;
    value = value * 8 + (byte - DIGIT_0);
  }
  return skipBlanks(block, index, end) === end ? value : undefined;
}

function skipBlanks(block: Uint8Array, start: number, end: number): number {
  let index = start;
  while (index < end && (block[index] === SPACE || block[index] === 0)) index += 1;
  return index;
}

function decodeBase256(block: Uint8Array, field: HeaderField): number | undefined {
  const first = block[field.offset] ?? 0;
  let value = BigInt.asIntN(7, BigInt(first & 0x7f));
  for (let index = 1; index < field.bytes; index += 1) {
    value = value * 256n + BigInt(block[field.offset + index] ?? 0);
  }
  const exact = Number(value);
  return Number.isSafeInteger(exact) ? exact : undefined;
}
