import type { Report } from '@tsbk/core/ports/report';
import type { MemoryWatch, TakenMemory } from './watch-memory.ts';

/** How things are at some point of a phase; memory is the most since the last mark. */
export interface ScaleMark extends TakenMemory {
  readonly phase: string;
  /** Done so far, 0 to 1. */
  readonly share: number;
  /** Since the phase began. */
  readonly seconds: number;
}

export interface ScalePhase {
  readonly name: string;
  readonly seconds: number;
  /** Of the whole process, what simulates included. */
  readonly cpuSeconds: number;
  readonly marks: readonly ScaleMark[];
}

const MARKS = 20;

/** Measures a phase, whose progress it hears by `report`. */
export function clockPhase(
  name: string,
  options: {
    readonly memory: MemoryWatch;
    readonly totalBytes: number;
    readonly onMark?: ((mark: ScaleMark) => void) | undefined;
  },
): { readonly report: Report; end(): ScalePhase } {
  const start = performance.now();
  const cpu = process.cpuUsage();
  let marks = 0;
  const taken: ScaleMark[] = [];

  const mark = (share: number): void => {
    const seconds = (performance.now() - start) / 1000;
    const at = { phase: name, share, seconds, ...options.memory.take() };
    taken.push(at);
    options.onMark?.(at);
  };
  return {
    report: (event) => {
      if (event.kind !== 'progress') return;
      const share = Math.min(1, event.bytes / Math.max(1, options.totalBytes));
      if (share * MARKS < marks + 1) return;
      marks = Math.floor(share * MARKS);
      mark(share);
    },
    end: () => {
      mark(1);
      const { user, system } = process.cpuUsage(cpu);
      const seconds = (performance.now() - start) / 1000;
      return { name, seconds, cpuSeconds: (user + system) / 1e6, marks: taken };
    },
  };
}
