/** An xxHash32 that takes its input in pieces. */
export interface Xxh32 {
  update(bytes: Uint8Array): void;
  /** The hash of everything so far, as an unsigned 32-bit number. */
  digest(): number;
}

// The five primes of the xxHash specification, as signed numbers: `Math.imul` and `| 0` keep
// everything in 32 bits, which is what lets the engine use machine integers.
const PRIME_1 = 0x9e3779b1 | 0;
const PRIME_2 = 0x85ebca77 | 0;
const PRIME_3 = 0xc2b2ae3d | 0;
const PRIME_4 = 0x27d4eb2f | 0;
const PRIME_5 = 0x165667b1 | 0;
const STRIPE = 16;

/** xxHash32 with seed 0, the checksum of LZ4 frames. */
export function xxh32(): Xxh32 {
  const lanes = new Int32Array([PRIME_1 + PRIME_2, PRIME_2, 0, -PRIME_1]);
  const pending = new Uint8Array(STRIPE);
  let length = 0;

  return {
    update(bytes) {
      const filled = length % STRIPE;
      length += bytes.length;
      if (filled + bytes.length < STRIPE) {
        pending.set(bytes, filled);
        return;
      }
      let start = 0;
      if (filled > 0) {
        start = STRIPE - filled;
        pending.set(bytes.subarray(0, start), filled);
        mixStripes(lanes, pending);
      }
      mixStripes(lanes, bytes.subarray(start));
      pending.set(bytes.subarray(bytes.length - (length % STRIPE)));
    },
    digest: () => finish(lanes, pending, length),
  };
}

/** xxHash32 of bytes that are all there. */
export function xxh32Of(bytes: Uint8Array): number {
  const hash = xxh32();
  hash.update(bytes);
  return hash.digest();
}

/** Mixes all whole stripes of `bytes` into the four lanes. A `DataView` needs no alignment. */
function mixStripes(lanes: Int32Array, bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = bytes.length - (bytes.length % STRIPE);
  // Read one by one: what comes out of an iterator is not known to be an integer in the loop.
  let a = lanes[0] ?? 0;
  let b = lanes[1] ?? 0;
  let c = lanes[2] ?? 0;
  let d = lanes[3] ?? 0;
  for (let at = 0; at < end; at += STRIPE) {
    a = (a + Math.imul(view.getInt32(at, true), PRIME_2)) | 0;
    a = Math.imul((a << 13) | (a >>> 19), PRIME_1);
    b = (b + Math.imul(view.getInt32(at + 4, true), PRIME_2)) | 0;
    b = Math.imul((b << 13) | (b >>> 19), PRIME_1);
    c = (c + Math.imul(view.getInt32(at + 8, true), PRIME_2)) | 0;
    c = Math.imul((c << 13) | (c >>> 19), PRIME_1);
    d = (d + Math.imul(view.getInt32(at + 12, true), PRIME_2)) | 0;
    d = Math.imul((d << 13) | (d >>> 19), PRIME_1);
  }
  lanes[0] = a;
  lanes[1] = b;
  lanes[2] = c;
  lanes[3] = d;
}

function finish(lanes: Int32Array, pending: Uint8Array, length: number): number {
  const [a = 0, b = 0, c = 0, d = 0] = lanes;
  const joined = rotate(a, 1) + rotate(b, 7) + rotate(c, 12) + rotate(d, 18);
  let hash = ((length < STRIPE ? PRIME_5 : joined) + length) | 0;
  const view = new DataView(pending.buffer);
  const end = length % STRIPE;
  let at = 0;
  for (; at + 4 <= end; at += 4) {
    hash = (hash + Math.imul(view.getInt32(at, true), PRIME_3)) | 0;
    hash = Math.imul(rotate(hash, 17), PRIME_4);
  }
  for (; at < end; at += 1) {
    hash = (hash + Math.imul(view.getUint8(at), PRIME_5)) | 0;
    hash = Math.imul(rotate(hash, 11), PRIME_1);
  }
  hash = Math.imul(hash ^ (hash >>> 15), PRIME_2);
  hash = Math.imul(hash ^ (hash >>> 13), PRIME_3);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}
