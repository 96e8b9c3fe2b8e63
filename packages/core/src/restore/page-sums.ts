import { crc32cHex } from '../format/crc32c.ts';
import { joinCrc32c } from '../format/crc32c-join.ts';
import { PAGE_BYTES } from '../format/page.ts';
import type { FileSum, PageRuns } from '../ports/extract.ts';

/** Numbers of a run: first page, number of pages, CRC. */
const RUN = 3;
/**
 * Numbers of four bytes kept for all files together, 32 MiB: those of 21 GiB of pages that lie apart in
 * large files, or of some seventy thousand files.
 */
const KEPT_MAX = 8 * 1024 * 1024;
/** What an awaited file, a piece of its runs, and a sum take beside their numbers, in such numbers. */
const FILE_COST = 64;
const RUNS_COST = 48;
const SUM_COST = 32;

interface Gathered {
  readonly bytes: number;
  readonly runs: PageRuns[];
}

/**
 * The CRC-32C of files that are put together from pages, joined from those of the runs of pages as
 * they were placed, so that such a file need not be read again. What it has no sum for, because it
 * is more than it keeps or has pages that nothing has placed, is to be read.
 */
export class PageSums {
  readonly #files = new Map<number, Gathered>();
  readonly #sums = new Map<number, FileSum>();
  readonly #maxKept: number;
  #kept = 0;

  constructor({ maxKept = KEPT_MAX }: { readonly maxKept?: number } = {}) {
    this.#maxKept = maxKept;
  }

  /** A file begins, with so many bytes. */
  begin(number: number, bytes: number): void {
    if (this.#kept + FILE_COST > this.#maxKept) return;
    this.#kept += FILE_COST;
    this.#files.set(number, { bytes, runs: [] });
  }

  /** Runs of pages of a file have been placed. */
  add(number: number, runs: PageRuns): void {
    const file = this.#files.get(number);
    if (file === undefined) return;
    file.runs.push(runs);
    this.#kept += RUNS_COST + runs.length;
    if (this.#kept > this.#maxKept) this.#drop(number);
  }

  /** Nothing more of the file is to come. */
  end(number: number): void {
    const file = this.#files.get(number);
    if (file === undefined) return;
    const crc = joined(file);
    this.#drop(number);
    if (crc === undefined || this.#kept + SUM_COST > this.#maxKept) return;
    this.#kept += SUM_COST;
    this.#sums.set(number, { bytes: file.bytes, checksum: crc32cHex(crc) });
  }

  /** Length and checksum of a file that has ended; `undefined` if it must be read. */
  sumOf(number: number): FileSum | undefined {
    return this.#sums.get(number);
  }

  #drop(number: number): void {
    const file = this.#files.get(number);
    if (file === undefined) return;
    this.#kept -= FILE_COST;
    for (const { length } of file.runs) this.#kept -= RUNS_COST + length;
    this.#files.delete(number);
  }
}

/** `undefined` unless the runs are all of the file, each page once. */
function joined({ bytes, runs }: Gathered): number | undefined {
  let crc = 0;
  let page = 0;
  for (const { first, pages, sum } of inOrder(runs)) {
    if (first !== page) return undefined;
    crc = joinCrc32c(crc, sum, pages * PAGE_BYTES);
    page += pages;
  }
  return page * PAGE_BYTES === bytes ? crc : undefined;
}

/** By their first page. A file of a GiB has at most 131,072. */
function* inOrder(
  runs: readonly PageRuns[],
): Generator<{ readonly first: number; readonly pages: number; readonly sum: number }> {
  const all = new Uint32Array(runs.reduce((sum, { length }) => sum + length, 0));
  let end = 0;
  for (const some of runs) {
    all.set(some, end);
    end += some.length;
  }
  const places = Uint32Array.from({ length: end / RUN }, (_, index) => index * RUN);
  places.sort((a, b) => (all[a] ?? 0) - (all[b] ?? 0));
  for (const at of places) {
    yield { first: all[at] ?? 0, pages: all[at + 1] ?? 0, sum: all[at + 2] ?? 0 };
  }
}
