import type { BegunFiles } from '../../ports/extract.ts';
import { pagesOf, setBit } from './begun-file.ts';

/** Pages of a file that have come. */
export interface NewPages {
  /** Where older pages of the file end from now on, bytes. */
  readonly limit: number;
  /** Numbers of those below it that were not in place before. */
  readonly blocks: Uint32Array;
}

/**
 * Keeps which pages of which files are in place, one bit a page, while a chain is put together:
 * 16 MiB for a TiB of files that have changed. The lanes of one backup read a copy of it.
 */
export class OpenPages {
  readonly #files: MutableFiles;
  #slotCount = 0;
  #bytes = 0;

  /** For files numbered below `count`. */
  constructor(count: number) {
    this.#files = {
      slots: new Uint32Array(count),
      limits: new Float64Array(FIRST_SLOTS),
      starts: new Float64Array(FIRST_SLOTS),
      placed: new Uint8Array(FIRST_BYTES),
    };
  }

  /** Notes what an increment has placed. */
  add(number: number, { limit, blocks }: NewPages): void {
    const slot = this.#slotOf(number, limit);
    this.#files.limits[slot] = limit;
    const start = this.#files.starts[slot] ?? 0;
    for (const page of blocks) setBit(this.#files.placed, { start, page });
  }

  /** As they are now. */
  get files(): BegunFiles {
    return this.#files;
  }

  /** A copy, in shared memory, of the files that `isAwaited`. */
  copy(isAwaited: (number: number) => boolean): BegunFiles {
    const { slots, limits, starts, placed } = this.#files;
    const copied = {
      slots: new Uint32Array(new SharedArrayBuffer(slots.byteLength)),
      limits: new Float64Array(new SharedArrayBuffer(8 * this.#slotCount)),
      starts: new Float64Array(new SharedArrayBuffer(8 * this.#slotCount)),
      placed: new Uint8Array(new SharedArrayBuffer(this.#bytes)),
    };
    let count = 0;
    let bytes = 0;
    for (let number = 0; number < slots.length; number += 1) {
      const slot = (slots[number] ?? 0) - 1;
      if (slot === -1 || !isAwaited(number)) continue;
      const limit = limits[slot] ?? 0;
      const start = starts[slot] ?? 0;
      const length = bytesOf(limit);
      copied.slots[number] = count + 1;
      copied.limits[count] = limit;
      copied.starts[count] = bytes;
      copied.placed.set(placed.subarray(start, start + length), bytes);
      count += 1;
      bytes += length;
    }
    return copied;
  }

  /** The slot of a file; a new one of that limit if it has none. Limits only fall afterwards. */
  #slotOf(number: number, limit: number): number {
    const known = this.#files.slots[number] ?? 0;
    if (known > 0) return known - 1;
    const slot = this.#slotCount;
    this.#slotCount += 1;
    const files = this.#files;
    if (slot >= files.limits.length) {
      files.limits = grown(files.limits, new Float64Array(2 * files.limits.length));
      files.starts = grown(files.starts, new Float64Array(2 * files.starts.length));
    }
    const end = this.#bytes + bytesOf(limit);
    if (end > files.placed.length) {
      const length = Math.max(end, 2 * files.placed.length);
      files.placed = grown(files.placed, new Uint8Array(length));
    }
    files.slots[number] = slot + 1;
    files.starts[slot] = this.#bytes;
    this.#bytes = end;
    return slot;
  }
}

const FIRST_SLOTS = 64;
const FIRST_BYTES = 4096;

interface MutableFiles {
  readonly slots: Uint32Array;
  limits: Float64Array;
  starts: Float64Array;
  placed: Uint8Array;
}

function bytesOf(limit: number): number {
  return Math.ceil(pagesOf(limit) / 8);
}

function grown<T extends Float64Array | Uint8Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
