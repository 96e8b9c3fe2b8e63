import { type RangeDecoder, probabilities } from './range-decoder.ts';

const SLOT_BITS = 6;
const LENGTH_STATES = 4;
const ALIGN_BITS = 4;
/** Slots below this one are distances themselves; slots from `SLOT_DIRECT` have direct bits. */
const SLOT_MODELLED = 4;
const SLOT_DIRECT = 14;

/** Decodes how far back a match begins. */
export class DistanceDecoder {
  readonly #slots = probabilities(LENGTH_STATES << SLOT_BITS);
  readonly #special = probabilities(1 << (SLOT_DIRECT / 2));
  readonly #align = probabilities(1 << ALIGN_BITS);

  /** Distance less one; 0xffffffff is the end marker. `length` is the match's, from 2. */
  decode(coder: RangeDecoder, length: number): number {
    const lengthState = Math.min(length - 2, LENGTH_STATES - 1);
    const slot = coder.tree(this.#slots, lengthState << SLOT_BITS, SLOT_BITS);
    if (slot < SLOT_MODELLED) return slot;
    const bits = (slot >>> 1) - 1;
    const base = ((2 | (slot & 1)) << bits) >>> 0;
    if (slot < SLOT_DIRECT) return base + coder.reverseTree(this.#special, base - slot, bits);
    const high = coder.directBits(bits - ALIGN_BITS) * (1 << ALIGN_BITS);
    return base + high + coder.reverseTree(this.#align, 0, ALIGN_BITS);
  }
}
