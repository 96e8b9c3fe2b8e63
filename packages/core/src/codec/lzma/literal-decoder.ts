import { type RangeDecoder, probabilities } from './range-decoder.ts';

const PROBS_A_CONTEXT = 0x300;

/** Decodes bytes that no match covers, by their position and the byte before. */
export class LiteralDecoder {
  readonly #probs: Uint16Array;
  readonly #contextBits: number;
  readonly #positionMask: number;

  constructor({ lc, lp }: { readonly lc: number; readonly lp: number }) {
    this.#probs = probabilities(PROBS_A_CONTEXT << (lc + lp));
    this.#contextBits = lc;
    this.#positionMask = (1 << lp) - 1;
  }

  /** `matched`: the byte that would follow if the last match went on; `undefined` after a literal. */
  decode(
    coder: RangeDecoder,
    {
      position,
      previous,
      matched,
    }: {
      readonly position: number;
      readonly previous: number;
      readonly matched: number | undefined;
    },
  ): number {
    const high = (position & this.#positionMask) << this.#contextBits;
    const offset = PROBS_A_CONTEXT * (high + (previous >>> (8 - this.#contextBits)));
    return matched === undefined
      ? coder.tree(this.#probs, offset, 8)
      : this.#decodeAfterMatch(coder, offset, matched);
  }

  /**
   * While the bits are those of the byte that would have gone on the match, they are decoded by
   * probabilities of their own; after the first other bit as any literal.
   */
  #decodeAfterMatch(coder: RangeDecoder, offset: number, matched: number): number {
    let symbol = 1;
    let expected = matched;
    while (symbol < 0x100) {
      const match = (expected >>> 7) & 1;
      expected <<= 1;
      const bit = coder.bit(this.#probs, offset + ((1 + match) << 8) + symbol);
      symbol = (symbol << 1) | bit;
      if (bit !== match) break;
    }
    while (symbol < 0x100) symbol = (symbol << 1) | coder.bit(this.#probs, offset + symbol);
    return symbol & 0xff;
  }
}
