import type { FileSum } from '../ports/extract.ts';

const FIRST_SLOTS = 64;

/** Lengths and checksums of the files that were put together: some fifty bytes for each of them. */
export class BuiltSums {
  /** By number: the place of the file's sum plus one; 0 for one without. */
  readonly #slots: Uint32Array;
  #bytes = new Float64Array(FIRST_SLOTS);
  #sums = Buffer.alloc(0);
  #sumBytes = 0;
  #count = 0;

  /** For files numbered below `count`. */
  constructor(count: number) {
    this.#slots = new Uint32Array(count);
  }

  /** Once for a file. All checksums are of one length. */
  add(number: number, { bytes, checksum }: FileSum): void {
    this.#sumBytes = checksum.length / 2;
    const slot = this.#count;
    this.#count += 1;
    if (slot >= this.#bytes.length) this.#grow();
    if (this.#sums.length === 0) this.#sums = Buffer.alloc(this.#bytes.length * this.#sumBytes);
    this.#slots[number] = slot + 1;
    this.#bytes[slot] = bytes;
    this.#sums.write(checksum, slot * this.#sumBytes, 'hex');
  }

  get(number: number): FileSum | undefined {
    const slot = (this.#slots[number] ?? 0) - 1;
    if (slot === -1) return undefined;
    const start = slot * this.#sumBytes;
    const checksum = this.#sums.toString('hex', start, start + this.#sumBytes);
    return { bytes: this.#bytes[slot] ?? 0, checksum };
  }

  #grow(): void {
    const bytes = new Float64Array(2 * this.#bytes.length);
    bytes.set(this.#bytes);
    this.#bytes = bytes;
    const sums = Buffer.alloc(bytes.length * this.#sumBytes);
    sums.set(this.#sums);
    this.#sums = sums;
  }
}
