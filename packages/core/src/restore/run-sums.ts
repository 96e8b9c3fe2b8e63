import { crc32c } from '../format/crc32c.ts';
import { PAGE_BYTES } from '../format/page.ts';

/** Sums what is placed of a file, piece by piece, whose neighbours come one after the other. */
export class RunSums {
  /** First page, number of pages and CRC-32C of each run. */
  readonly #runs: number[] = [];
  #start = 0;
  #end = 0;
  #crc = 0;

  add(chunk: Uint8Array, position: number): void {
    if (chunk.length === 0) return;
    if (position !== this.#end) this.#begin(position);
    this.#crc = crc32c(chunk, this.#crc);
    this.#end += chunk.length;
  }

  /** As `PageRuns` are; empty unless every run is one of whole pages. */
  done(): Uint32Array {
    this.#begin(0);
    const isOfPages = this.#runs.every((value) => Number.isInteger(value));
    return Uint32Array.from(isOfPages ? this.#runs : []);
  }

  #begin(position: number): void {
    const bytes = this.#end - this.#start;
    if (bytes > 0) this.#runs.push(this.#start / PAGE_BYTES, bytes / PAGE_BYTES, this.#crc);
    this.#start = position;
    this.#end = position;
    this.#crc = 0;
  }
}
