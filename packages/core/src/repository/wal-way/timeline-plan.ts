import { TsbkError } from '../../kernel/errors.ts';
import { formatLsn, type Lsn } from '../../kernel/lsn.ts';
import { segmentNumberAt, type TimelineId } from '../../kernel/wal-file.ts';
import type { TimelineHistory } from '../../format/history-file.ts';
import { hasSegments, rangeOf, type SegmentRange, type WalListing } from './wal-listing.ts';

/** Where a backup stands in the WAL. */
export interface BackupPlace {
  readonly name: string;
  readonly timeline: TimelineId;
  readonly startLsn: Lsn;
  /** From here on the restored cluster is consistent. */
  readonly stopLsn: Lsn;
}

/** A part of the way that recovery goes, on one timeline. */
export interface TimelineStretch {
  readonly timeline: TimelineId;
  /** The first segment that is read from this timeline. */
  readonly first: bigint;
  /** The last one; open-ended on the target timeline. */
  readonly last: bigint | undefined;
}

export interface TimelineRange extends SegmentRange {
  readonly timeline: TimelineId;
}

/** What of the way is in the archive without a hole. */
export interface WalRun {
  /** From the backup's start, in the order of recovery. */
  readonly ranges: readonly TimelineRange[];
  /** The first segment that is not there. */
  readonly missing: { readonly timeline: TimelineId; readonly number: bigint };
  /** Whether the archive has later segments of the way: then `missing` is a hole, not the end. */
  readonly isHole: boolean;
}

/**
 * The way from a backup to the end of the target timeline, by the rules of PostgreSQL
 * (`XLogFileReadAnyTLI`): a segment in which timelines change is read from the newer one, whose
 * copy holds the older part too. `history` is the target timeline's, absent if it has no parent.
 * Throws `target-unreachable` when the target timeline does not come from this backup.
 */
export function planStretches(
  backup: BackupPlace,
  target: { readonly timeline: TimelineId; readonly history: TimelineHistory | undefined },
  segmentBytes: number,
): TimelineStretch[] {
  const ancestors: readonly TimelineEnd[] = target.history?.ancestors ?? [];
  const ends = [...ancestors, { timeline: target.timeline, switchLsn: undefined }];
  const from = ends.findIndex(({ timeline }) => timeline === backup.timeline);
  const [own] = from === -1 ? [] : ends.slice(from);
  if (own === undefined) throw notItsChild(backup, target.timeline, 'is not among its ancestors');
  if (own.switchLsn !== undefined && own.switchLsn < backup.stopLsn) {
    const where = `ends at ${formatLsn(own.switchLsn)} there, before the backup does`;
    throw notItsChild(backup, target.timeline, where);
  }
  return stretchesOf(ends.slice(from), {
    first: segmentNumberAt(backup.startLsn, segmentBytes),
    segmentBytes,
  });
}

/** The way to a timeline from a segment on, whichever of its ancestors that is of. */
export function stretchesTo(
  target: { readonly timeline: TimelineId; readonly history: TimelineHistory | undefined },
  start: { readonly first: bigint; readonly segmentBytes: number },
): TimelineStretch[] {
  const ancestors: readonly TimelineEnd[] = target.history?.ancestors ?? [];
  return stretchesOf([...ancestors, { timeline: target.timeline, switchLsn: undefined }], start);
}

interface TimelineEnd {
  readonly timeline: TimelineId;
  /** Absent for the last one. */
  readonly switchLsn: Lsn | undefined;
}

function stretchesOf(
  way: readonly TimelineEnd[],
  start: { readonly first: bigint; readonly segmentBytes: number },
): TimelineStretch[] {
  let { first } = start;
  const stretches: TimelineStretch[] = [];
  for (const { timeline, switchLsn } of way) {
    if (switchLsn === undefined) {
      stretches.push({ timeline, first, last: undefined });
      continue;
    }
    const next = segmentNumberAt(switchLsn, start.segmentBytes);
    // Of two changes in one segment only the newer timeline is read.
    if (next > first) stretches.push({ timeline, first, last: next - 1n });
    if (next > first) first = next;
  }
  return stretches;
}

/** How far along the way the archive has every segment. */
export function planRun(stretches: readonly TimelineStretch[], listing: WalListing): WalRun {
  const ranges: TimelineRange[] = [];
  for (const [index, { timeline, first, last }] of stretches.entries()) {
    const listed = rangeOf(listing, timeline, first)?.last;
    const reached = minOf(listed, last);
    if (reached !== undefined) ranges.push({ timeline, first, last: reached });
    if (reached !== undefined && reached === last) continue;
    const number = reached === undefined ? first : reached + 1n;
    const isHole =
      hasSegments(listing, timeline, { from: number, to: last }) ||
      stretches
        .slice(index + 1)
        .some((later) =>
          hasSegments(listing, later.timeline, { from: later.first, to: later.last }),
        );
    return { ranges, missing: { timeline, number }, isHole };
  }
  throw new TypeError('the last stretch of a way is open-ended');
}

function minOf(reached: bigint | undefined, last: bigint | undefined): bigint | undefined {
  if (reached === undefined || last === undefined) return reached;
  return reached < last ? reached : last;
}

function notItsChild(backup: BackupPlace, timeline: TimelineId, why: string): TsbkError {
  return new TsbkError(
    'target-unreachable',
    `timeline ${timeline} does not come from ${backup.name}: timeline ${backup.timeline} ${why}`,
    {
      hint: `Give --target-timeline current to stay on timeline ${backup.timeline}, or choose another backup.`,
    },
  );
}
