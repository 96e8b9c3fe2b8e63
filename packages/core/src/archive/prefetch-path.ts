import type { TimelineHistory } from '../format/history-file.ts';
import {
  formatSegment,
  segmentNumberAt,
  type Segment,
  type TimelineId,
} from '../kernel/wal-file.ts';

/** What is known of a recovery that asks for one segment after the other. */
export interface RecoveryPath {
  /** The last one that it was given. */
  readonly at: Segment;
  readonly segmentBytes: number;
  /** Those that it was given; the newest one is of the timeline it recovers along. */
  readonly histories: readonly TimelineHistory[];
}

/**
 * Names under which recovery will ask for the segment `number`, in its order: of the timelines that
 * have begun by then the newest first, and never below the one it is on (`XLogFileReadAnyTLI` in
 * PostgreSQL's `xlogrecovery.c`).
 */
export function namesAhead(path: RecoveryPath, number: bigint): readonly string[] {
  const { at, segmentBytes } = path;
  return lineage(path)
    .filter(({ timeline, firstSegment }) => timeline >= at.timeline && firstSegment <= number)
    .map(({ timeline }) => formatSegment({ timeline, number }, segmentBytes))
    .reverse();
}

interface LineageStep {
  readonly timeline: TimelineId;
  /** Number of the segment in which the timeline begins. */
  readonly firstSegment: bigint;
}

/** From the oldest timeline to the one that is recovered along. */
function lineage({ at, segmentBytes, histories }: RecoveryPath): readonly LineageStep[] {
  const newest = histories.reduce<TimelineHistory | undefined>(
    (best, one) => (best === undefined || one.timeline > best.timeline ? one : best),
    undefined,
  );
  const alone = [{ timeline: at.timeline, firstSegment: 0n }];
  if (newest === undefined) return alone;
  const timelines = [...newest.ancestors.map(({ timeline }) => timeline), newest.timeline];
  // Recovery that left this line, or has not come to it yet.
  if (!timelines.includes(at.timeline)) return alone;
  return timelines.map((timeline, index) => {
    const before = newest.ancestors[index - 1];
    const firstSegment =
      before === undefined ? 0n : segmentNumberAt(before.switchLsn, segmentBytes);
    return { timeline, firstSegment };
  });
}
