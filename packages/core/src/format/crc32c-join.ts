/**
 * The CRC-32C of two pieces of bytes, one after the other, from the CRC of each and the length of
 * the second. A CRC is a remainder of polynomials over GF(2): what follows multiplies the remainder
 * of what came before by x to the number of its bits.
 */
export function joinCrc32c(first: number, second: number, secondBytes: number): number {
  return (multiplied(shiftBy(secondBytes), first) ^ second) >>> 0;
}

/** Reflected, as the CRC itself: the highest bit is the coefficient of x⁰. */
const POLYNOMIAL = 0x82f63b78;
const ONE = 0x80000000 | 0;
/** x⁸: one byte. */
const BYTE = 0x00800000;

/** x to the power of 8 × 2ᵏ, by k. */
let doublings: number[] | undefined;
/** Most pieces of a file have one length. */
let lastShift = { bytes: 0, factor: ONE };

/** x to the power of the bits of so many bytes. */
function shiftBy(bytes: number): number {
  if (bytes === lastShift.bytes) return lastShift.factor;
  doublings ??= makeDoublings();
  let factor = ONE;
  for (let left = bytes, k = 0; left > 0; left = Math.floor(left / 2), k += 1) {
    if (left % 2 === 1) factor = multiplied(doublings[k] ?? ONE, factor);
  }
  lastShift = { bytes, factor };
  return factor;
}

/** For lengths up to 2⁵³ bytes. */
function makeDoublings(): number[] {
  const powers = [BYTE];
  for (let k = 1; k <= 53; k += 1) {
    const before = powers[k - 1] ?? ONE;
    powers.push(multiplied(before, before));
  }
  return powers;
}

/** The product of two polynomials, modulo the CRC's. */
function multiplied(a: number, b: number): number {
  let product = 0;
  let multiple = b;
  for (let bits = a; bits !== 0; bits <<= 1) {
    if (bits < 0) product ^= multiple;
    multiple = (multiple & 1) === 0 ? multiple >>> 1 : (multiple >>> 1) ^ POLYNOMIAL;
  }
  return product;
}
