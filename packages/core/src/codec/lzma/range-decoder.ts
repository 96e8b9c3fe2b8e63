/** Probabilities are 11 bits wide and begin in the middle. */
const PROBABILITY_BITS = 11;
const PROBABILITY_START = 1 << (PROBABILITY_BITS - 1);
const MOVE_BITS = 5;
const TOP = 1 << 24;

/** A set of adaptive probabilities, all even. */
export function probabilities(count: number): Uint16Array {
  return new Uint16Array(count).fill(PROBABILITY_START);
}

/**
 * LZMA's binary range decoder. It reads zeros where its input has ended; `consumed` then exceeds
 * what there was, which the caller looks at after every symbol instead of this at every byte.
 */
export class RangeDecoder {
  #input: Uint8Array = new Uint8Array(0);
  #at = 0;
  #range = -1;
  #code = 0;

  /** Bytes of input not used yet; negative once it has read past the end. */
  get left(): number {
    return this.#input.length - this.#at;
  }

  /** Adds input after what is left. */
  feed(chunk: Uint8Array): void {
    const rest = this.#input.subarray(this.#at);
    this.#input = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    this.#at = 0;
  }

  /** Reads the five bytes a stream begins with; the first must be zero. */
  begin(): boolean {
    const first = this.#input[this.#at];
    this.#at += 1;
    for (let i = 0; i < 4; i += 1) this.#code = (this.#code << 8) | this.#byte();
    return first === 0;
  }

  /** Whether everything the encoder wrote has been used: the last word of an undamaged stream. */
  isFinished(): boolean {
    this.#normalize();
    return this.#code === 0;
  }

  /** One bit by the adaptive probability at `index`. */
  bit(probs: Uint16Array, index: number): 0 | 1 {
    this.#normalize();
    const probability = probs[index] ?? 0;
    const bound = Math.imul(this.#range >>> PROBABILITY_BITS, probability);
    if (this.#code >>> 0 < bound >>> 0) {
      this.#range = bound;
      probs[index] = probability + (((1 << PROBABILITY_BITS) - probability) >>> MOVE_BITS);
      return 0;
    }
    this.#range = (this.#range - bound) | 0;
    this.#code = (this.#code - bound) | 0;
    probs[index] = probability - (probability >>> MOVE_BITS);
    return 1;
  }

  /** `bits` bits of even probability, highest first. */
  directBits(bits: number): number {
    let value = 0;
    for (let i = 0; i < bits; i += 1) {
      this.#normalize();
      this.#range >>>= 1;
      const isOne = this.#code >>> 0 >= this.#range >>> 0;
      if (isOne) this.#code = (this.#code - this.#range) | 0;
      value = (value << 1) | (isOne ? 1 : 0);
    }
    return value >>> 0;
  }

  /** A number of `bits` bits by a tree of probabilities at `offset`, highest bit first. */
  tree(probs: Uint16Array, offset: number, bits: number): number {
    let node = 1;
    for (let i = 0; i < bits; i += 1) node = (node << 1) | this.bit(probs, offset + node);
    return node - (1 << bits);
  }

  /** The same, lowest bit first. */
  reverseTree(probs: Uint16Array, offset: number, bits: number): number {
    let node = 1;
    let value = 0;
    for (let i = 0; i < bits; i += 1) {
      const bit = this.bit(probs, offset + node);
      node = (node << 1) | bit;
      value |= bit << i;
    }
    return value;
  }

  #normalize(): void {
    if (this.#range >>> 0 >= TOP) return;
    this.#range <<= 8;
    this.#code = (this.#code << 8) | this.#byte();
  }

  #byte(): number {
    const byte = this.#input[this.#at] ?? 0;
    this.#at += 1;
    return byte;
  }
}
