import { sampleBytes } from '@tsbk/core/stream/sample-bytes';

/** Bytes that compress about three to one with lz4, made once and shown in pieces. */
export interface SamplePool {
  /** A view that nobody may change: what making data takes is not what is measured. Turns repeat. */
  chunk(turn: number, bytes: number): Uint8Array;
}

const POOL_BYTES = 2 * 1024 * 1024;
const PAGE_BYTES = 8192;
const NOISE_BYTES = 512;
/** A page of a table has free space. */
const FREE_BYTES = 3072;
/** Odd, so that pieces begin everywhere in the pool. */
const STEP = 5_003;

export function samplePool(): SamplePool {
  const pool = sampleBytes('records', POOL_BYTES);
  const noise = sampleBytes('noise', (POOL_BYTES / PAGE_BYTES) * NOISE_BYTES);
  for (let page = 0; page * PAGE_BYTES < POOL_BYTES; page += 1) {
    noise.copy(pool, page * PAGE_BYTES, page * NOISE_BYTES, (page + 1) * NOISE_BYTES);
    pool.fill(0, page * PAGE_BYTES + NOISE_BYTES, page * PAGE_BYTES + NOISE_BYTES + FREE_BYTES);
  }
  return {
    chunk: (turn, bytes) => {
      const at = (turn * STEP * 8) % (POOL_BYTES - bytes);
      return pool.subarray(at, at + bytes);
    },
  };
}
