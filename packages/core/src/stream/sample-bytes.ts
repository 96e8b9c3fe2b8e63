import { createHash } from 'node:crypto';

/** What the bytes of a sample are like to a compressor. */
export type SampleKind = 'zeros' | 'records' | 'noise' | 'mixed';

/** Bytes for tests: the same ones for the same arguments. */
export function sampleBytes(kind: SampleKind, length: number, seed = 1): Buffer {
  switch (kind) {
    case 'zeros':
      return Buffer.alloc(length);
    case 'noise':
      return noise(length, seed);
    case 'records':
      return records(length, seed);
    case 'mixed':
      return mixed(length, seed);
  }
}

/** Nothing in it repeats. */
function noise(length: number, seed: number): Buffer {
  return createHash('shake256', { outputLength: Math.max(1, length) })
    .update(String(seed))
    .digest()
    .subarray(0, length);
}

/** Rows of a table: much repeats at short distances. */
function records(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0, row = seed; at < length; row += 1) {
    at += bytes.write(`${row}\tname-${(row * 7919) % 1000}\t${(row * 104729) % 65537}\n`, at);
    if (length - at < 32) break;
  }
  return bytes;
}

/** Runs of noise, rows and zeros, some of them repeated from far back. */
function mixed(length: number, seed: number): Buffer {
  const unit = Buffer.concat([
    noise(5000, seed),
    records(20_000, seed),
    Buffer.alloc(3000, seed),
    noise(40_000, seed + 1),
  ]);
  const bytes = Buffer.alloc(length);
  for (let at = 0, i = 0; at < length; i += 1) at += unit.copy(bytes, at, (i * 911) % 4096);
  return bytes;
}
