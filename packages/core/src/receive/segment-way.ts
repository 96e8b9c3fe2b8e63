import type { TimelineHistory } from '../format/history-file.ts';
import { formatSegment, segmentNumberAt, type TimelineId } from '../kernel/wal-file.ts';

/** The segments that lead to where a server is: on which timeline each of them is looked for. */
export interface SegmentWay {
  readonly timeline: TimelineId;
  /** Of that timeline; absent if it has no parent. */
  readonly history: TimelineHistory | undefined;
  readonly segmentBytes: number;
}

/**
 * The timeline of a segment. One in which timelines change belongs to the newer one, whose copy
 * holds the older part too: that is where recovery reads it.
 */
export function timelineOf(
  { timeline, history, segmentBytes }: SegmentWay,
  number: bigint,
): TimelineId {
  const parent = history?.ancestors.find(
    ({ switchLsn }) => segmentNumberAt(switchLsn, segmentBytes) > number,
  );
  return parent?.timeline ?? timeline;
}

/** Name of a segment of the way. */
export function nameOf(way: SegmentWay, number: bigint): string {
  return formatSegment({ timeline: timelineOf(way, number), number }, way.segmentBytes);
}
