import type { Sample } from './exposition.ts';

/** From what a warm push to a near store takes to where PostgreSQL's users begin to worry. Seconds. */
const BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** A Prometheus histogram of seconds. */
export class Histogram {
  readonly #counts = BOUNDS.map(() => 0);
  #count = 0;
  #sum = 0;

  observe(seconds: number): void {
    this.#count += 1;
    this.#sum += seconds;
    for (const [at, bound] of BOUNDS.entries()) {
      if (seconds <= bound) this.#counts[at] = (this.#counts[at] ?? 0) + 1;
    }
  }

  samples(): Sample[] {
    return [
      ...BOUNDS.map((bound, at) => ({
        suffix: '_bucket',
        labels: { le: String(bound) },
        value: this.#counts[at] ?? 0,
      })),
      { suffix: '_bucket', labels: { le: '+Inf' }, value: this.#count },
      { suffix: '_sum', value: this.#sum },
      { suffix: '_count', value: this.#count },
    ];
  }
}
