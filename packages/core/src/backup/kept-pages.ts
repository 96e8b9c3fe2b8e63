import { PAGE_BYTES } from '../format/page.ts';

/** Of the pages of one file that go into its increment, the first that fit the memory for them. */
export class KeptPages {
  readonly #bytesMax: number;
  #memory: Buffer | undefined;
  #count = 0;
  #full = false;

  /** The memory is taken when the first page comes. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** How many pages there are. */
  get count(): number {
    return this.#count;
  }

  /** Begins another file. */
  clear(): void {
    this.#count = 0;
    this.#full = false;
  }

  /** Keeps a copy of the next page; none any more once one had no room. */
  add(page: Uint8Array): void {
    this.#full ||= (this.#count + 1) * PAGE_BYTES > this.#bytesMax;
    if (this.#full) return;
    this.#memory ??= Buffer.allocUnsafeSlow(this.#bytesMax);
    this.#memory.set(page, this.#count * PAGE_BYTES);
    this.#count += 1;
  }

  /** All pages that were kept, in their order, in pieces of at most `bytes` bytes; lent. */
  *pieces(bytes: number): Generator<Uint8Array, void, undefined> {
    const pages = this.#memory?.subarray(0, this.#count * PAGE_BYTES);
    if (pages === undefined) return;
    for (let at = 0; at < pages.length; at += bytes) yield pages.subarray(at, at + bytes);
  }
}
