import type { ByteSource } from '../ports/bytes.ts';

/**
 * Reads a source in pieces of the reader's own choosing, whatever the size of its chunks. Pieces
 * are views of those chunks and are copied only where they cross a border. It holds one chunk at
 * most, so a record format can be read with memory that does not depend on the input.
 */
export class ByteReader {
  readonly #iterator: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);
  #ended = false;

  constructor(source: ByteSource) {
    this.#iterator = source[Symbol.asyncIterator]();
  }

  /** The next 1 to `max` bytes, not copied; `undefined` at the end of the source. */
  async some(max: number): Promise<Uint8Array | undefined> {
    if (this.#rest.length === 0) await this.#fill();
    return this.#rest.length === 0 ? undefined : this.#cut(Math.min(max, this.#rest.length));
  }

  /**
   * The next `bytes` bytes if the chunk at hand holds them all, not copied; `undefined` says to
   * `take` them. It spares a reader of many small pieces most of its waits.
   */
  buffered(bytes: number): Uint8Array | undefined {
    return this.#rest.length >= bytes ? this.#cut(bytes) : undefined;
  }

  /** The next `bytes` bytes; fewer only if the source ends before. Callers bound `bytes`. */
  async take(bytes: number): Promise<Uint8Array> {
    if (this.#rest.length === 0) await this.#fill();
    if (this.#rest.length >= bytes) return this.#cut(bytes);
    const whole = new Uint8Array(bytes);
    let filled = 0;
    while (filled < bytes) {
      const piece = await this.some(bytes - filled);
      if (piece === undefined) return whole.subarray(0, filled);
      whole.set(piece, filled);
      filled += piece.length;
    }
    return whole;
  }

  /** Leaves the source, which frees what it holds. Afterwards the reader is at its end. */
  async close(): Promise<void> {
    this.#rest = new Uint8Array(0);
    if (this.#ended) return;
    this.#ended = true;
    await this.#iterator.return?.();
  }

  /** Gets a chunk if there is nothing left of the last one. */
  async #fill(): Promise<void> {
    while (this.#rest.length === 0 && !this.#ended) await this.#pull();
  }

  async #pull(): Promise<void> {
    let result: IteratorResult<Uint8Array>;
    try {
      result = await this.#iterator.next();
    } catch (error) {
      this.#ended = true;
      throw error;
    }
    if (result.done === true) this.#ended = true;
    else this.#rest = result.value;
  }

  #cut(bytes: number): Uint8Array {
    const piece = this.#rest.subarray(0, bytes);
    this.#rest = this.#rest.subarray(bytes);
    return piece;
  }
}
