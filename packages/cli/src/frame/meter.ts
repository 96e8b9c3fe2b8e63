const WINDOW_MS = 10_000;
const SETTLE_MS = 1000;

/** Measures how fast one phase goes. */
export interface Meter {
  readonly phase: string;
  /** Takes note of the bytes done so far; gives bytes a second, once that can be said. */
  update(bytes: number, nowMs: number): number | undefined;
}

/** A meter that looks at the last ten seconds, so that it follows changes and does not jump. */
export function startMeter(phase: string, startMs: number): Meter {
  let samples: readonly { readonly ms: number; readonly bytes: number }[] = [
    { ms: startMs, bytes: 0 },
  ];
  return {
    phase,
    update: (bytes, nowMs) => {
      const last = samples.at(-1);
      // One sample a second is enough, and bounds their number.
      if (last === undefined || nowMs - last.ms >= SETTLE_MS) {
        samples = [...samples, { ms: nowMs, bytes }].filter(({ ms }) => nowMs - ms <= WINDOW_MS);
      }
      const first = samples[0];
      if (first === undefined || nowMs - first.ms < SETTLE_MS) return undefined;
      return ((bytes - first.bytes) * 1000) / (nowMs - first.ms);
    },
  };
}
