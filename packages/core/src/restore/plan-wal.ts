import { formatSegment } from '../kernel/wal-file.ts';
import { missingName, ownSegments, wayEnd, type WalWay } from '../repository/wal-way/wal-way.ts';
import type { PlannedWal } from './plan.ts';
import type { Reach } from './reachable.ts';

/** The WAL part of a plan: names and counts. */
export function planWal(way: WalWay, { at }: Pick<Reach, 'at'>): PlannedWal {
  const { segmentBytes, timeline, run } = way;
  const own = ownSegments(way);
  return {
    segmentBytes,
    timeline,
    own: {
      first: nameOf(way, own.first),
      last: nameOf(way, own.last),
      count: Number(own.last - own.first + 1n),
    },
    available: run.ranges.map((range) => ({
      first: formatSegment({ timeline: range.timeline, number: range.first }, segmentBytes),
      last: formatSegment({ timeline: range.timeline, number: range.last }, segmentBytes),
    })),
    toTarget: at === undefined ? undefined : segmentsTo(way, at.lsn - 1n),
    missing: { name: missingName(way), isHole: run.isHole },
    openBytes: way.open?.bytes,
  };
}

/** Segments from the backup's first to the one that holds a byte of the way. */
function segmentsTo(way: WalWay, byte: bigint): number {
  const number = byte / BigInt(way.segmentBytes);
  const last = number < wayEnd(way) ? number : wayEnd(way) - 1n;
  return Number(last - ownSegments(way).first + 1n);
}

/** Also of a segment that is not there: the backup's own timeline has it or nobody. */
function nameOf(way: WalWay, number: bigint): string {
  const range = way.run.ranges.find(({ first, last }) => first <= number && number <= last);
  return formatSegment(
    { timeline: range?.timeline ?? way.backup.timeline, number },
    way.segmentBytes,
  );
}
