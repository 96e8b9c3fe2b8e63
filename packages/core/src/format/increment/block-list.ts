const FIRST_CAPACITY = 64;

/** Block numbers, gathered one by one in four bytes each. */
export class BlockList {
  #blocks = new Uint32Array(FIRST_CAPACITY);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(block: number): void {
    if (this.#count === this.#blocks.length) {
      const larger = new Uint32Array(2 * this.#blocks.length);
      larger.set(this.#blocks);
      this.#blocks = larger;
    }
    this.#blocks[this.#count] = block;
    this.#count += 1;
  }

  /** All of them in their order, valid until more are added. */
  blocks(): Uint32Array {
    return this.#blocks.subarray(0, this.#count);
  }
}
