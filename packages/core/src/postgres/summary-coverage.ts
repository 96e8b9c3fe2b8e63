import { formatLsn, type Lsn } from '../kernel/lsn.ts';
import type { WalStretch } from '../ports/changed-blocks.ts';

/** What one WAL summary is of. */
export type WalSummary = WalStretch;

/** The first piece of the stretches that no summary is of, as a clause; `undefined`: all is there. */
export function missingFrom(
  summaries: readonly WalSummary[],
  stretches: readonly WalStretch[],
): string | undefined {
  for (const { timeline, from, to } of stretches) {
    const own = summaries.filter((summary) => summary.timeline === timeline);
    const reached = reachedFrom(from, own);
    if (reached < to)
      return `from ${formatLsn(reached)} to ${formatLsn(to)} of timeline ${timeline}`;
  }
  return undefined;
}

/** How far summaries go on from a position without a hole. */
function reachedFrom(from: Lsn, summaries: readonly WalSummary[]): Lsn {
  let reached = from;
  for (const summary of summaries.toSorted((a, b) => (a.from < b.from ? -1 : 1))) {
    if (summary.from > reached) break;
    if (summary.to > reached) reached = summary.to;
  }
  return reached;
}
