import type { Reporter, ReporterOptions } from './text-report.ts';

const PROGRESS_MS = 1000;

/** Reports for machines: one JSON object a line, progress at most once a second. */
export function jsonReporter({ stream, clock }: Omit<ReporterOptions, 'logLevel'>): Reporter {
  let nextMs = Number.NEGATIVE_INFINITY;
  return {
    report: (event) => {
      if (event.kind === 'progress') {
        const nowMs = clock.monotonicMs();
        if (nowMs < nextMs) return;
        nextMs = nowMs + PROGRESS_MS;
      }
      stream.write(`${JSON.stringify(event)}\n`);
    },
    end: () => {},
  };
}
