import { TsbkError } from '../kernel/errors.ts';
import type { Blob, BlobStore } from '../ports/blob-store.ts';
import { ownedSource } from '../stream/owned-source.ts';
import { release } from '../stream/release.ts';
import type { RunOptions } from './repository.ts';

/** How large objects are read from a store that answers several requests at once. */
export interface RangeReading {
  /** Bytes of a range. Memory of one reader is `(rangesInFlight + 1) × rangeBytes`. */
  readonly rangeBytes: number;
  /** Requests under way while the range before them is used. */
  readonly rangesInFlight: number;
}

/** What a reader takes at once from the range at hand. */
const CHUNK_BYTES = 256 * 1024;

/**
 * Opens an object that is fetched in ranges, several at once and ahead of its reader, all of them of
 * the very same version. A chunk is lent: its memory is used again when the next one is asked for.
 * `undefined` if the object does not exist. Throws what the store throws; a range that fails does so
 * in its turn.
 */
export async function getInRanges(
  store: BlobStore,
  key: string,
  { signal, ...reading }: RunOptions & RangeReading,
): Promise<Blob | undefined> {
  const left = new AbortController();
  const either = AbortSignal.any([signal, left.signal]);
  const first = await store.get(key, { signal: either, until: reading.rangeBytes });
  if (first === undefined) return undefined;
  const ranges = new Ranges(store, first, { signal: either, ...reading });
  return {
    info: first.info,
    body: ownedSource(ranges.chunks(), () => {
      left.abort(new Error(`${key} is not read any further`));
      ranges.close();
    }),
  };
}

/** The ranges of one object, in order. */
class Ranges {
  readonly #store: BlobStore;
  readonly #first: Blob;
  readonly #options: RunOptions & RangeReading;
  /** Those under way, first to last. */
  readonly #coming: Promise<Uint8Array>[] = [];
  /** Memory of ranges that were used. */
  readonly #free: Uint8Array[] = [];
  #begun = 0;

  constructor(store: BlobStore, first: Blob, options: RunOptions & RangeReading) {
    this.#store = store;
    this.#first = first;
    this.#options = options;
  }

  async *chunks(): AsyncGenerator<Uint8Array> {
    const { rangesInFlight } = this.#options;
    this.#begin(1 + rangesInFlight);
    for (;;) {
      const range = await this.#coming.shift();
      if (range === undefined) return;
      for (let at = 0; at < range.length; at += CHUNK_BYTES) {
        yield range.subarray(at, at + CHUNK_BYTES);
      }
      this.#free.push(range);
      this.#begin(1);
    }
  }

  /** Frees the first range if nobody has begun to read it; the others hear the signal. */
  close(): void {
    if (this.#begun > 0) return;
    this.#first.body[Symbol.asyncIterator]()
      .return?.()
      .catch(() => undefined);
  }

  #begin(count: number): void {
    const { bytes } = this.#first.info;
    const { rangeBytes } = this.#options;
    for (let i = 0; i < count && this.#begun * rangeBytes < bytes; i += 1) {
      const range = this.#fetch(this.#begun * rangeBytes);
      // It is heard of in its turn, or by nobody if the object is left before.
      range.catch(() => undefined);
      this.#coming.push(range);
      this.#begun += 1;
    }
  }

  async #fetch(from: number): Promise<Uint8Array> {
    const { bytes } = this.#first.info;
    const until = Math.min(from + this.#options.rangeBytes, bytes);
    const used = this.#free.pop();
    const { body } = from === 0 ? this.#first : await this.#open(from, until);
    const range = used?.subarray(0, until - from) ?? Buffer.allocUnsafeSlow(until - from);
    let filled = 0;
    for await (const chunk of body) {
      range.set(chunk, filled);
      filled += chunk.length;
      release(chunk);
    }
    return range;
  }

  async #open(from: number, until: number): Promise<Blob> {
    const { key, version } = this.#first.info;
    const { signal } = this.#options;
    const blob = await this.#store.get(key, { signal, version, from, until });
    if (blob === undefined) throw removed(key);
    return blob;
  }
}

function removed(key: string): TsbkError {
  return new TsbkError('object-corrupt', `${key} was removed while it was read`);
}
