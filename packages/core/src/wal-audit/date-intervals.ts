import { isTsbkError } from '../kernel/errors.ts';
import { segmentStart } from '../kernel/wal-file.ts';
import type { Report } from '../ports/report.ts';
import type { Repository, RunOptions } from '../repository/repository.ts';
import type { Moment } from '../repository/wal-way/moment.ts';
import { endOfWay } from '../repository/wal-way/scan-wal.ts';
import { wayEnd } from '../repository/wal-way/wal-way.ts';
import { mapParallel } from '../stream/parallel.ts';
import type { Interval } from './intervals.ts';

/** An interval and where in time it ends. */
export interface DatedInterval extends Interval {
  /** The end of its WAL; the time is that of the last transaction, if one can be read near it. */
  readonly end: Moment;
}

const READS_AT_ONCE = 2;
/** More branches than a person reads; the rest is told without times. */
const DATED_MAX = 32;

/** Reads the last segments of each interval for the time of its last transaction. */
export async function dateIntervals(
  repository: Repository,
  intervals: readonly Interval[],
  { signal, report }: RunOptions & { readonly report: Report },
): Promise<DatedInterval[]> {
  const last = intervals.length - DATED_MAX;
  const indexed = intervals.map((interval, index) => ({ interval, isDated: index >= last }));
  return await mapParallel(
    indexed,
    { width: READS_AT_ONCE, signal },
    async ({ interval, isDated }, both) => {
      const { way } = interval;
      const undated = { lsn: segmentStart(wayEnd(way), way.segmentBytes), time: undefined };
      if (!isDated || repository.cipher.unreadable !== undefined)
        return { ...interval, end: undated };
      try {
        return { ...interval, end: await endOfWay({ repository, way, signal: both, report }) };
      } catch (error) {
        // A damaged segment hides the time; that it is damaged is told by the check of contents.
        if (!isTsbkError(error) || error.retry) throw error;
        report({ kind: 'warning', code: error.code, text: error.message });
        return { ...interval, end: undated };
      }
    },
  );
}
