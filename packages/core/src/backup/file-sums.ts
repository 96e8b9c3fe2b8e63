import { NameIndexBuilder, numberOf, type NameIndex } from '../kernel/name-index.ts';

/** Length and CRC-32C of a file or of what is stored of it. */
export interface SummedBytes {
  readonly bytes: number;
  readonly crc: number;
}

const FIRST_CAPACITY = 1024;

/** Lengths and checksums by name, in some forty bytes each. */
export class FileSums {
  readonly #names = new NameIndexBuilder();
  #index: NameIndex | undefined;
  #bytes = new Float64Array(FIRST_CAPACITY);
  #crc = new Uint32Array(FIRST_CAPACITY);

  get count(): number {
    return this.#names.index().count;
  }

  /** Of two with one name the last counts. */
  add(name: string, { bytes, crc }: SummedBytes): void {
    const number = this.#names.add(name);
    if (number >= this.#bytes.length) this.#grow();
    this.#bytes[number] = bytes;
    this.#crc[number] = crc;
    this.#index = undefined;
  }

  of(name: string): SummedBytes | undefined {
    this.#index ??= this.#names.index();
    const number = numberOf(this.#index, name);
    if (number === undefined) return undefined;
    return { bytes: this.#bytes[number] ?? 0, crc: this.#crc[number] ?? 0 };
  }

  #grow(): void {
    const bytes = new Float64Array(2 * this.#bytes.length);
    bytes.set(this.#bytes);
    this.#bytes = bytes;
    const crc = new Uint32Array(2 * this.#crc.length);
    crc.set(this.#crc);
    this.#crc = crc;
  }
}
