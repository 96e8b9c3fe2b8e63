import { numberOf, type NameIndex } from '../../kernel/name-index.ts';

/** Which names of an index have come, and how many have not. */
export class AwaitedNames {
  /** How many have not come. */
  left: number;
  readonly #index: NameIndex;
  readonly #come: Uint8Array;

  constructor(index: NameIndex) {
    this.#index = index;
    this.#come = new Uint8Array(index.count);
    this.left = index.count;
  }

  /** The number of a name that is awaited; `undefined` for one that is not listed or has come. */
  numberOf(name: string): number | undefined {
    const number = numberOf(this.#index, name);
    return number === undefined || this.#come[number] === 1 ? undefined : number;
  }

  /** Takes a name off the list and gives its number; `undefined` if it was not awaited. */
  take(name: string): number | undefined {
    const number = this.numberOf(name);
    if (number === undefined) return undefined;
    this.#come[number] = 1;
    this.left -= 1;
    return number;
  }
}
