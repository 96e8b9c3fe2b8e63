import { hash } from 'node:crypto';

/**
 * A set of names that knows of each only a part of its SHA-256, 96 bits: some twenty bytes a name,
 * so that a million names fit anywhere. Two different names meet with a chance of one to 10^16 in
 * a set of a million. Plain data in shared memory: given to another thread it is not copied.
 */
export interface NameIndex {
  /** Names are numbered from 0 in the order in which they were added. */
  readonly count: number;
  /** Three words for each name. */
  readonly hashes: Uint32Array;
  /** Open addressing: number of a name plus one, 0 where there is none. Its length is a power of two. */
  readonly slots: Uint32Array;
}

/** The number of a name, `undefined` if it is not in the index. */
export function numberOf(index: NameIndex, name: string): number | undefined {
  const found = index.slots[slotOf(index, wordsOf(name))] ?? 0;
  return found === 0 ? undefined : found - 1;
}

const FIRST_CAPACITY = 1024;

/** Makes an index name by name. */
export class NameIndexBuilder {
  #count = 0;
  #hashes = shared(3 * FIRST_CAPACITY);
  #slots = shared(2 * FIRST_CAPACITY);

  /** The index of what was added so far, valid until more is added. */
  index(): NameIndex {
    return { count: this.#count, hashes: this.#hashes, slots: this.#slots };
  }

  /** Adds a name and gives its number; that of before if it is known. */
  add(name: string): number {
    if (2 * this.#count >= this.#slots.length) this.#grow();
    const words = wordsOf(name);
    const slot = slotOf({ hashes: this.#hashes, slots: this.#slots }, words);
    const known = this.#slots[slot] ?? 0;
    if (known > 0) return known - 1;
    this.#hashes.set(words, 3 * this.#count);
    this.#count += 1;
    this.#slots[slot] = this.#count;
    return this.#count - 1;
  }

  #grow(): void {
    const hashes = shared(2 * this.#hashes.length);
    hashes.set(this.#hashes);
    const slots = shared(2 * this.#slots.length);
    for (let number = 0; number < this.#count; number += 1) {
      const word = (at: number): number => hashes[3 * number + at] ?? 0;
      slots[slotOf({ hashes, slots }, [word(0), word(1), word(2)])] = number + 1;
    }
    this.#hashes = hashes;
    this.#slots = slots;
  }
}

/**
 * The names of an index, which keep their numbers, and more of them, which get those behind: so that
 * two lists of the same million names are not kept twice.
 */
export class ExtendedNames {
  readonly #index: NameIndex;
  readonly #more = new NameIndexBuilder();

  constructor(index: NameIndex = new NameIndexBuilder().index()) {
    this.#index = index;
  }

  get count(): number {
    return this.#index.count + this.#more.index().count;
  }

  /** The number of a name, `undefined` if it is neither in the index nor was added. */
  numberOf(name: string): number | undefined {
    const number = numberOf(this.#index, name);
    if (number !== undefined) return number;
    const added = numberOf(this.#more.index(), name);
    return added === undefined ? undefined : this.#index.count + added;
  }

  /** Gives the number of a name, a new one if it is not known. */
  add(name: string): number {
    return numberOf(this.#index, name) ?? this.#index.count + this.#more.add(name);
  }
}

/** Where a name stands, or would stand. There is always a free slot, at which the search ends. */
function slotOf({ hashes, slots }: Pick<NameIndex, 'hashes' | 'slots'>, words: Words): number {
  const mask = slots.length - 1;
  for (let slot = words[0] & mask; ; slot = (slot + 1) & mask) {
    const number = (slots[slot] ?? 0) - 1;
    if (number === -1 || isSame(hashes, 3 * number, words)) return slot;
  }
}

function isSame(hashes: Uint32Array, at: number, [a, b, c]: Words): boolean {
  return hashes[at] === a && hashes[at + 1] === b && hashes[at + 2] === c;
}

type Words = readonly [number, number, number];

/** Several lists are asked for one name in turn. */
let last: { readonly name: string; readonly words: Words } | undefined;

/** By way of hexadecimal, which costs a fifth of asking for bytes. */
function wordsOf(name: string): Words {
  if (last?.name === name) return last.words;
  const digits = hash('sha256', name, 'hex');
  const word = (at: number): number => Number.parseInt(digits.slice(at, at + 8), 16);
  const words: Words = [word(0), word(8), word(16)];
  last = { name, words };
  return words;
}

function shared(words: number): Uint32Array {
  return new Uint32Array(new SharedArrayBuffer(4 * words));
}
