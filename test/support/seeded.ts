/** Choices that follow from a seed alone, so that a run can be made again. */
export interface Seeded {
  /** A whole number, 0 ≤ n < `limit`. */
  below(limit: number): number;
  /** A whole number, both ends included. */
  between(least: number, most: number): number;
  pick<T>(from: readonly T[]): T;
  /** The same things in another order. */
  shuffled<T>(things: readonly T[]): T[];
}

/** The generator mulberry32: 32 bits of state, enough to choose faults with. */
export function seeded(seed: number): Seeded {
  let state = seed >>> 0;
  const fraction = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (limit: number): number => Math.floor(fraction() * limit);
  return {
    below,
    between: (least, most) => least + below(most - least + 1),
    pick: (from) => {
      const chosen = from[below(from.length)];
      if (chosen === undefined) throw new Error('there is nothing to pick from');
      return chosen;
    },
    shuffled: (things) =>
      things
        .map((thing) => ({ thing, place: fraction() }))
        .sort((a, b) => a.place - b.place)
        .map(({ thing }) => thing),
  };
}
