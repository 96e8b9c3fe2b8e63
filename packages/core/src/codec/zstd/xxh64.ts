/** An xxHash64 that takes its input in pieces. */
export interface Xxh64 {
  update(bytes: Uint8Array): void;
  /** The low 32 bits of the hash of everything so far: what a zstd frame ends with. */
  digestLow(): number;
}

// The primes of the xxHash specification. The inner loop works on 32-bit halves, ten times as fast
// as BigInt; what happens once a frame uses BigInt, which reads like the specification.
const PRIME_1 = 0x9e3779b185ebca87n;
const PRIME_2 = 0xc2b2ae3d27d4eb4fn;
const PRIME_3 = 0x165667b19e3779f9n;
const PRIME_4 = 0x85ebca77c2b2ae63n;
const PRIME_5 = 0x27d4eb2f165667c5n;
const STRIPE = 32;

const PRIME_1_LOW = 0x85ebca87 | 0;
const PRIME_1_HIGH = 0x9e3779b1 | 0;
const PRIME_2_LOW = 0x27d4eb4f | 0;
const PRIME_2_HIGH = 0xc2b2ae3d | 0;

/** xxHash64 with seed 0, the checksum of zstd frames. */
export function xxh64(): Xxh64 {
  const lanes = new Int32Array(BigUint64Array.of(PRIME_1 + PRIME_2, PRIME_2, 0n, -PRIME_1).buffer);
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
    digestLow: () => Number(finish(lanes, pending, length) & 0xffffffffn),
  };
}

/** Mixes all whole stripes of `bytes` into the four lanes. */
function mixStripes(lanes: Int32Array, bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = bytes.length - (bytes.length % STRIPE);
  for (let lane = 0; lane < 4; lane += 1) {
    let low = lanes[2 * lane] ?? 0;
    let high = lanes[2 * lane + 1] ?? 0;
    for (let at = 8 * lane; at < end; at += STRIPE) {
      // lane += word * PRIME_2
      const wordLow = view.getInt32(at, true);
      const sum = (low >>> 0) + (Math.imul(wordLow, PRIME_2_LOW) >>> 0);
      high =
        (high +
          Math.imul(view.getInt32(at + 4, true), PRIME_2_LOW) +
          Math.imul(wordLow, PRIME_2_HIGH) +
          highHalf(wordLow, PRIME_2_LOW) +
          (sum > 0xffffffff ? 1 : 0)) |
        0;
      low = sum | 0;
      // lane = rotate(lane, 31) * PRIME_1
      const turnedLow = (low << 31) | (high >>> 1);
      const turnedHigh = (high << 31) | (low >>> 1);
      high =
        (Math.imul(turnedHigh, PRIME_1_LOW) +
          Math.imul(turnedLow, PRIME_1_HIGH) +
          highHalf(turnedLow, PRIME_1_LOW)) |
        0;
      low = Math.imul(turnedLow, PRIME_1_LOW);
    }
    lanes[2 * lane] = low;
    lanes[2 * lane + 1] = high;
  }
}

/** The high 32 bits of the 64-bit product of two unsigned 32-bit numbers. */
function highHalf(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const lowHigh = Math.imul(aLow, bHigh) >>> 0;
  const highLow = Math.imul(aHigh, bLow) >>> 0;
  const carry = (Math.imul(aLow, bLow) >>> 16) + (lowHigh & 0xffff) + (highLow & 0xffff);
  return (Math.imul(aHigh, bHigh) + (lowHigh >>> 16) + (highLow >>> 16) + (carry >>> 16)) | 0;
}

function finish(halves: Int32Array, pending: Uint8Array, length: number): bigint {
  const [a = 0n, b = 0n, c = 0n, d = 0n] = new BigUint64Array(halves.buffer);
  let hash = PRIME_5;
  if (length >= STRIPE) {
    hash = rotate(a, 1n) + rotate(b, 7n) + rotate(c, 12n) + rotate(d, 18n);
    for (const lane of [a, b, c, d]) hash = u64((hash ^ round(0n, lane)) * PRIME_1 + PRIME_4);
  }
  hash = mixRest(u64(hash + BigInt(length)), pending.subarray(0, length % STRIPE));
  hash = u64((hash ^ (hash >> 33n)) * PRIME_2);
  hash = u64((hash ^ (hash >> 29n)) * PRIME_3);
  return hash ^ (hash >> 32n);
}

/** Mixes in what is left after the last whole stripe: words, at most one half word, bytes. */
function mixRest(start: bigint, rest: Uint8Array): bigint {
  const view = new DataView(rest.buffer, rest.byteOffset, rest.byteLength);
  let hash = start;
  let at = 0;
  for (; at + 8 <= rest.length; at += 8) {
    const word = round(0n, view.getBigUint64(at, true));
    hash = u64(rotate(hash ^ word, 27n) * PRIME_1 + PRIME_4);
  }
  if (at + 4 <= rest.length) {
    const word = u64(BigInt(view.getUint32(at, true)) * PRIME_1);
    hash = u64(rotate(hash ^ word, 23n) * PRIME_2 + PRIME_3);
    at += 4;
  }
  for (; at < rest.length; at += 1) {
    hash = u64(rotate(hash ^ u64(BigInt(view.getUint8(at)) * PRIME_5), 11n) * PRIME_1);
  }
  return hash;
}

function round(lane: bigint, word: bigint): bigint {
  return u64(rotate(u64(lane + word * PRIME_2), 31n) * PRIME_1);
}

function rotate(value: bigint, bits: bigint): bigint {
  return u64(value << bits) | (value >> (64n - bits));
}

function u64(value: bigint): bigint {
  return BigInt.asUintN(64, value);
}
