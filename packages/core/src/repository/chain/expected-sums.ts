import { ExtendedNames, type NameIndex } from '../../kernel/name-index.ts';
import type { TreePath } from '../../kernel/tree-path.ts';
import type { FileSum } from '../../ports/extract.ts';

/** Bytes of a checksum that are kept: all of a CRC, of a SHA enough to be beyond chance. */
const SUM_BYTES_MAX = 16;
/** Beside what is known: a manifest has a few files that the list of files does not. */
const FIRST_CAPACITY = 1024;
/** Of a name: it has no entry; it is expected; it has come. */
const UNLISTED = 0;
const AWAITED = 1;
const COME = 2;

/**
 * Lengths and checksums of many files by path, and which of them have come, in some thirteen bytes a
 * file with CRC-32C beside its name; those of an index that is there anyway are not kept again.
 */
export class ExpectedSums {
  /** How many have not come. */
  left = 0;
  readonly #names: ExtendedNames;
  #states: Uint8Array;
  #bytes: Float64Array;
  #sums: Buffer;
  #sumBytes = 0;

  constructor(known?: NameIndex) {
    this.#names = new ExtendedNames(known);
    const capacity = this.#names.count + FIRST_CAPACITY;
    this.#states = new Uint8Array(capacity);
    this.#bytes = new Float64Array(capacity);
    this.#sums = Buffer.alloc(0);
  }

  /** Of two entries with one path the last counts. `checksum` is lower-case hexadecimal, all of one length. */
  add(path: TreePath, { bytes, checksum }: FileSum): void {
    const number = this.#names.add(path);
    if (number >= this.#bytes.length) this.#grow();
    if (this.#sums.length === 0) {
      this.#sumBytes = Math.min(SUM_BYTES_MAX, checksum.length / 2);
      this.#sums = Buffer.alloc(this.#bytes.length * this.#sumBytes);
    }
    if (this.#states[number] === UNLISTED) this.left += 1;
    this.#states[number] = AWAITED;
    this.#bytes[number] = bytes;
    this.#sums.write(this.#kept(checksum), number * this.#sumBytes, 'hex');
  }

  /** The number of a file that is expected; `undefined` if it is not listed or has come. */
  numberOf(path: TreePath): number | undefined {
    const number = this.#names.numberOf(path);
    return number === undefined || this.#states[number] !== AWAITED ? undefined : number;
  }

  /** The file has come: gives its number; `undefined` if it was not expected. */
  take(path: TreePath): number | undefined {
    const number = this.numberOf(path);
    if (number === undefined) return undefined;
    this.#states[number] = COME;
    this.left -= 1;
    return number;
  }

  bytesOf(number: number): number | undefined {
    return this.#bytes[number];
  }

  hasChecksum(number: number, checksum: string): boolean {
    const at = number * this.#sumBytes;
    return this.#sums.toString('hex', at, at + this.#sumBytes) === this.#kept(checksum);
  }

  #kept(checksum: string): string {
    return checksum.slice(0, 2 * this.#sumBytes);
  }

  #grow(): void {
    this.#states = copied(this.#states, new Uint8Array(2 * this.#states.length));
    this.#bytes = copied(this.#bytes, new Float64Array(2 * this.#bytes.length));
    this.#sums = copied(this.#sums, Buffer.alloc(2 * this.#sums.length));
  }
}

function copied<T extends Uint8Array | Float64Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
