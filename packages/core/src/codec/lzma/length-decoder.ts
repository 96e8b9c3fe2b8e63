import { type RangeDecoder, probabilities } from './range-decoder.ts';

const LOW = 2;
const MIDDLE = LOW + 16 * 8;
const HIGH = MIDDLE + 16 * 8;
const COUNT = HIGH + 256;

/** Shortest match there is. */
const LENGTH_MIN = 2;

/** Decodes match lengths, 2 to 273, of which short ones depend on the position in the data. */
export class LengthDecoder {
  readonly #probs = probabilities(COUNT);

  decode(coder: RangeDecoder, positionState: number): number {
    const probs = this.#probs;
    if (coder.bit(probs, 0) === 0) {
      return LENGTH_MIN + coder.tree(probs, LOW + 8 * positionState, 3);
    }
    if (coder.bit(probs, 1) === 0) {
      return LENGTH_MIN + 8 + coder.tree(probs, MIDDLE + 8 * positionState, 3);
    }
    return LENGTH_MIN + 16 + coder.tree(probs, HIGH, 8);
  }
}
