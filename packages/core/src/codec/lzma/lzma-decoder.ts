import { corrupt } from '../corrupt.ts';
import { DistanceDecoder } from './distance-decoder.ts';
import { LengthDecoder } from './length-decoder.ts';
import { LiteralDecoder } from './literal-decoder.ts';
import { type RangeDecoder, probabilities } from './range-decoder.ts';
import type { Window } from './window.ts';

const POSITION_STATES = 16;
const STATES = 12;
/** States below this one follow a literal. */
const FIRST_STATE_AFTER_MATCH = 7;
const END_MARKER = 0xffffffff;

/** The longest match, and so the most that one symbol adds to the window. */
export const SYMBOL_OUTPUT_MAX = 273;

/** The most input that one symbol uses. */
export const SYMBOL_INPUT_MAX = 20;

/** How a stream was encoded: bits of context for literals, of position for literals and matches. */
export interface LzmaProperties {
  readonly lc: number;
  readonly lp: number;
  readonly pb: number;
}

/** Decodes the symbols of one LZMA stream into its window. */
export class LzmaDecoder {
  readonly #coder: RangeDecoder;
  readonly #window: Window;
  readonly #positionMask: number;
  readonly #literals: LiteralDecoder;
  readonly #lengths = new LengthDecoder();
  readonly #repeatLengths = new LengthDecoder();
  readonly #distances = new DistanceDecoder();
  readonly #isMatch = probabilities(STATES * POSITION_STATES);
  readonly #isRepeat = probabilities(STATES);
  readonly #isNotLast = probabilities(STATES);
  readonly #isNotSecond = probabilities(STATES);
  readonly #isNotThird = probabilities(STATES);
  readonly #isLong = probabilities(STATES * POSITION_STATES);
  #state = 0;
  /** The last four distances less one, latest first. */
  #recent: readonly [number, number, number, number] = [0, 0, 0, 0];

  constructor(properties: LzmaProperties, coder: RangeDecoder, window: Window) {
    this.#coder = coder;
    this.#window = window;
    this.#positionMask = (1 << properties.pb) - 1;
    this.#literals = new LiteralDecoder(properties);
  }

  /** One literal or match. `false` if it was the end marker. Throws `object-corrupt`. */
  decodeSymbol(): boolean {
    const positionState = this.#window.total & this.#positionMask;
    const context = this.#state * POSITION_STATES + positionState;
    if (this.#coder.bit(this.#isMatch, context) === 0) {
      this.#decodeLiteral();
      return true;
    }
    const isRepeat = this.#coder.bit(this.#isRepeat, this.#state) === 1;
    const length = isRepeat
      ? this.#decodeRepeat(positionState, context)
      : this.#decodeMatch(positionState);
    const distance = this.#recent[0];
    if (distance === END_MARKER && !isRepeat) return false;
    if (!this.#window.reaches(distance + 1)) {
      throw corrupt('lzma', 'a match begins before the data');
    }
    this.#window.repeat(distance + 1, length);
    return true;
  }

  #decodeLiteral(): void {
    const isAfterMatch = this.#state >= FIRST_STATE_AFTER_MATCH;
    const literal = this.#literals.decode(this.#coder, {
      position: this.#window.total,
      previous: this.#window.byteAt(1),
      matched: isAfterMatch ? this.#window.byteAt(this.#recent[0] + 1) : undefined,
    });
    this.#window.put(literal);
    if (this.#state < 4) this.#state = 0;
    else this.#state -= this.#state < 10 ? 3 : 6;
  }

  #decodeMatch(positionState: number): number {
    const length = this.#lengths.decode(this.#coder, positionState);
    const distance = this.#distances.decode(this.#coder, length);
    const [last, second, third] = this.#recent;
    this.#recent = [distance, last, second, third];
    this.#state = this.#state < FIRST_STATE_AFTER_MATCH ? 7 : 10;
    return length;
  }

  /** A match at one of the last four distances; at the last one it may be a single byte. */
  #decodeRepeat(positionState: number, context: number): number {
    const isAfterLiteral = this.#state < FIRST_STATE_AFTER_MATCH;
    if (this.#coder.bit(this.#isNotLast, this.#state) === 1) {
      this.#recent = this.#pickRecent();
    } else if (this.#coder.bit(this.#isLong, context) === 0) {
      this.#state = isAfterLiteral ? 9 : 11;
      return 1;
    }
    const length = this.#repeatLengths.decode(this.#coder, positionState);
    this.#state = isAfterLiteral ? 8 : 11;
    return length;
  }

  #pickRecent(): readonly [number, number, number, number] {
    const [last, second, third, fourth] = this.#recent;
    if (this.#coder.bit(this.#isNotSecond, this.#state) === 0) return [second, last, third, fourth];
    if (this.#coder.bit(this.#isNotThird, this.#state) === 0) return [third, last, second, fourth];
    return [fourth, last, second, third];
  }
}
