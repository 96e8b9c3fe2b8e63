import type { ReportEvent } from '@tsbk/core/ports/report';

export type ProgressEvent = Extract<ReportEvent, { kind: 'progress' }>;

/** How far a phase is. */
export interface Reading {
  readonly phase: string;
  readonly bytes: number;
  readonly totalBytes: number | undefined;
  /** 0 to 99: the total is an estimate, so only the end of the phase says that it is done. */
  readonly percent: number | undefined;
  /** Over the last seconds; unknown in the first one. */
  readonly bytesPerSecond: number | undefined;
  readonly msLeft: number | undefined;
}

/** Measures one phase. */
export interface Gauge {
  readonly phase: string;
  /** Takes note of what is done so far. */
  update(event: ProgressEvent, nowMs: number): void;
  /** The state at this moment: without updates the rate falls. */
  read(nowMs: number): Reading;
}

const WINDOW_MS = 10_000;
const SAMPLE_MS = 1000;

/** Looks at the last ten seconds, so that it follows changes and does not jump. */
export function startGauge(first: ProgressEvent, startMs: number): Gauge {
  const { phase } = first;
  let last = first;
  let samples: readonly { readonly ms: number; readonly bytes: number }[] = [
    { ms: startMs, bytes: 0 },
  ];
  const sample = (nowMs: number): void => {
    // One a second is enough, and bounds their number.
    if (nowMs - (samples.at(-1)?.ms ?? 0) < SAMPLE_MS) return;
    samples = [...samples, { ms: nowMs, bytes: last.bytes }].filter(
      ({ ms }) => nowMs - ms <= WINDOW_MS,
    );
  };
  const rate = (nowMs: number): number | undefined => {
    const [from] = samples;
    if (from === undefined || nowMs - from.ms < SAMPLE_MS) return undefined;
    return ((last.bytes - from.bytes) * 1000) / (nowMs - from.ms);
  };
  return {
    phase,
    update: (event, nowMs) => {
      last = event;
      sample(nowMs);
    },
    read: (nowMs) => {
      sample(nowMs);
      const { bytes, totalBytes } = last;
      const bytesPerSecond = rate(nowMs);
      return {
        phase,
        bytes,
        totalBytes,
        percent: percentOf(bytes, totalBytes),
        bytesPerSecond,
        msLeft: msLeft(bytes, totalBytes, bytesPerSecond),
      };
    },
  };
}

function percentOf(bytes: number, totalBytes: number | undefined): number | undefined {
  if (totalBytes === undefined || totalBytes <= 0) return undefined;
  return Math.min(99, Math.floor((bytes / totalBytes) * 100));
}

function msLeft(
  bytes: number,
  totalBytes: number | undefined,
  bytesPerSecond: number | undefined,
): number | undefined {
  if (totalBytes === undefined || bytesPerSecond === undefined) return undefined;
  if (bytesPerSecond <= 0 || bytes >= totalBytes) return undefined;
  return ((totalBytes - bytes) / bytesPerSecond) * 1000;
}
