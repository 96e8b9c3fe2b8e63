/**
 * What an LZMA decoder has produced lately: a ring of the dictionary's size and of what has not
 * been taken away yet. The system gives memory only to the pages that are written, so a large
 * dictionary costs nothing for a small object.
 */
export class Window {
  readonly #ring: Uint8Array;
  readonly #dictionaryBytes: number;
  #at = 0;
  #taken = 0;
  #total = 0;

  /** `slackBytes`: most bytes that are put between two calls of `take`. */
  constructor(dictionaryBytes: number, slackBytes: number) {
    this.#dictionaryBytes = dictionaryBytes;
    this.#ring = new Uint8Array(dictionaryBytes + slackBytes);
  }

  /** Bytes put so far. */
  get total(): number {
    return this.#total;
  }

  /** Whether there is a byte `distance` bytes back; 1 is the last one. */
  reaches(distance: number): boolean {
    return distance <= this.#total && distance <= this.#dictionaryBytes;
  }

  /** The byte `distance` bytes back, 0 if there is none. */
  byteAt(distance: number): number {
    const at = this.#at - distance;
    return this.#ring[at < 0 ? at + this.#ring.length : at] ?? 0;
  }

  put(byte: number): void {
    this.#ring[this.#at] = byte;
    this.#at = this.#at + 1 === this.#ring.length ? 0 : this.#at + 1;
    this.#total += 1;
  }

  /** Puts `length` bytes again that begin `distance` bytes back; they may overlap themselves. */
  repeat(distance: number, length: number): void {
    for (let i = 0; i < length; i += 1) this.put(this.byteAt(distance));
  }

  /** A copy of what was put since the last call. */
  take(): Uint8Array {
    const bytes = this.#total - this.#taken;
    const start = this.#at - bytes;
    this.#taken = this.#total;
    if (start >= 0) return this.#ring.slice(start, this.#at);
    return Buffer.concat([this.#ring.subarray(start), this.#ring.subarray(0, this.#at)]);
  }
}
