import { NameIndexBuilder } from '../../kernel/name-index.ts';
import type { TreePath } from '../../kernel/tree-path.ts';
import type { FileSum } from '../../ports/extract.ts';
import { AwaitedNames } from './awaited-names.ts';

/** Bytes of a checksum that are kept: all of a CRC, of a SHA enough to be beyond chance. */
const SUM_BYTES = 16;
const FIRST_CAPACITY = 1024;

/** Lengths and checksums of many files by path, in some fifty bytes a file. */
export class ExpectedSums {
  readonly #names = new NameIndexBuilder();
  #bytes = new Float64Array(FIRST_CAPACITY);
  #sums = Buffer.alloc(FIRST_CAPACITY * SUM_BYTES);

  /** Of two entries with one path the last counts. `checksum` is lower-case hexadecimal. */
  add(path: TreePath, { bytes, checksum }: FileSum): void {
    const number = this.#names.add(path);
    if (number >= this.#bytes.length) this.#grow();
    this.#bytes[number] = bytes;
    this.#sums.fill(0, number * SUM_BYTES, (number + 1) * SUM_BYTES);
    this.#sums.write(kept(checksum), number * SUM_BYTES, 'hex');
  }

  /** All of them, not come yet. Call it when the last one is added. */
  awaited(): AwaitedNames {
    return new AwaitedNames(this.#names.index());
  }

  bytesOf(number: number): number | undefined {
    return this.#bytes[number];
  }

  hasChecksum(number: number, checksum: string): boolean {
    const found = Buffer.alloc(SUM_BYTES);
    found.write(kept(checksum), 'hex');
    return found.equals(this.#sums.subarray(number * SUM_BYTES, (number + 1) * SUM_BYTES));
  }

  #grow(): void {
    const bytes = new Float64Array(2 * this.#bytes.length);
    bytes.set(this.#bytes);
    this.#bytes = bytes;
    const sums = Buffer.alloc(2 * this.#sums.length);
    sums.set(this.#sums);
    this.#sums = sums;
  }
}

function kept(checksum: string): string {
  return checksum.slice(0, 2 * SUM_BYTES);
}
