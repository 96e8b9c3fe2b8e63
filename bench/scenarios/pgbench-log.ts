import { percentile } from '../statistics.ts';
import type { LoadFigures } from '../results.ts';

/** A span of time, in milliseconds since 1970. */
export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

/**
 * Rate and latency of the transactions that ended within the span, from the lines of a log that
 * `pgbench --log` wrote: client, transaction, latency in microseconds, script, seconds, and
 * microseconds of the end. A last line that was cut off is left out.
 */
export function figuresWithin(log: string, { fromMs, toMs }: Span): LoadFigures {
  const latenciesMs: number[] = [];
  for (const line of log.split('\n')) {
    const fields = line.split(' ');
    if (fields.length < 6) continue;
    const [, , latencyUs, , seconds, micros] = fields.map(Number);
    const endMs = (seconds ?? NaN) * 1000 + (micros ?? NaN) / 1000;
    if (endMs >= fromMs && endMs < toMs) latenciesMs.push((latencyUs ?? NaN) / 1000);
  }
  const spanSeconds = (toMs - fromMs) / 1000;
  return {
    seconds: spanSeconds,
    tps: latenciesMs.length / spanSeconds,
    p99Ms: percentile(latenciesMs, 0.99),
  };
}
