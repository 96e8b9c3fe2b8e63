import { TsbkError } from '../../kernel/errors.ts';
import { formatLsn, toLsn, type Lsn } from '../../kernel/lsn.ts';
import {
  formatSegment,
  segmentNumberAt,
  segmentStart,
  type TimelineId,
} from '../../kernel/wal-file.ts';
import type { TimelineHistory } from '../../format/history-file.ts';
import type { Repository, RunOptions } from '../repository.ts';
import { findWal } from '../wal-archive.ts';
import { openPieces, type SegmentPrefix } from '../wal-pieces.ts';
import {
  planRun,
  planStretches,
  type BackupPlace,
  type TimelineStretch,
  type WalRun,
} from './timeline-plan.ts';
import { withSegment, type WalListing } from './wal-listing.ts';

/** The way of recovery from a backup through the archive. */
export interface WalWay {
  readonly backup: BackupPlace;
  readonly segmentBytes: number;
  /** Timeline that recovery ends on. */
  readonly timeline: TimelineId;
  readonly run: WalRun;
  /** Whether there is a `.partial` file of the first missing segment, which recovery never reads. */
  readonly hasPartial: boolean;
  /**
   * The beginning of the first missing segment, where `wal-receive` has stored that while it was
   * written: recovery reads it. Absent where the archive goes on behind it.
   */
  readonly open: SegmentPrefix | undefined;
}

/**
 * Follows the way from a backup to a timeline, as far as the archive goes. What the listing lacks
 * is asked for by name before it counts as missing. Throws `target-unreachable` when the timeline
 * does not come from the backup.
 */
export async function followWay(
  repository: Repository,
  request: {
    readonly backup: BackupPlace;
    readonly target: {
      readonly timeline: TimelineId;
      /** Absent if the timeline has no parent. */
      readonly history: TimelineHistory | undefined;
    };
    readonly listing: WalListing;
    readonly segmentBytes: number;
  },
  { signal }: RunOptions,
): Promise<WalWay> {
  const { backup, target, listing, segmentBytes } = request;
  const stretches = planStretches(backup, target, segmentBytes);
  const { run, open } = await confirmedRun(
    repository,
    { stretches, listing, segmentBytes },
    { signal },
  );
  const hasPartial = listing.partials.has(formatSegment(run.missing, segmentBytes));
  return { backup, segmentBytes, timeline: target.timeline, run, hasPartial, open };
}

/** Number behind the last segment that the way has, be it only the beginning of it. */
export function wayEnd({ run, open }: WalWay): bigint {
  return open === undefined ? run.missing.number : run.missing.number + 1n;
}

/** LSN behind the last byte that the way has. */
export function wayEndLsn({ run, open, segmentBytes }: WalWay): Lsn {
  const start = segmentStart(run.missing.number, segmentBytes);
  return open === undefined ? start : toLsn(start + BigInt(open.bytes));
}

/** Whether the way has all WAL without which the backup never gets consistent. */
export function hasOwnWal(way: WalWay): boolean {
  const { startLsn, stopLsn } = way.backup;
  const end = wayEndLsn(way);
  return end > startLsn && end >= stopLsn;
}

/** Name of the first segment that the way lacks. */
export function missingName({ run, segmentBytes }: WalWay): string {
  return formatSegment(run.missing, segmentBytes);
}

/** Name of a segment of the way. Throws `wal-missing` for one it does not have. */
export function segmentName(way: WalWay, number: bigint): string {
  const range = way.run.ranges.find(({ first, last }) => first <= number && number <= last);
  if (way.open !== undefined && number === way.run.missing.number) return missingName(way);
  if (range === undefined) {
    const at = formatLsn(segmentStart(number, way.segmentBytes));
    throw new TsbkError('wal-missing', `the archive has no WAL of ${at} after ${way.backup.name}`);
  }
  return formatSegment({ timeline: range.timeline, number }, way.segmentBytes);
}

/** Names from segment `from` to segment `to`, both included, made as they are asked for. */
export function* segmentNames(way: WalWay, from: bigint, to: bigint): Generator<string> {
  for (let number = from; number <= to; number += 1n) yield segmentName(way, number);
}

/** The segments that hold the backup's own WAL: without them it never gets consistent. */
export function ownSegments({ backup, segmentBytes }: Pick<WalWay, 'backup' | 'segmentBytes'>): {
  readonly first: bigint;
  readonly last: bigint;
} {
  const first = segmentNumberAt(backup.startLsn, segmentBytes);
  const lastByte = backup.stopLsn > backup.startLsn ? backup.stopLsn - 1n : backup.startLsn;
  return { first, last: lastByte / BigInt(segmentBytes) };
}

async function confirmedRun(
  repository: Repository,
  way: {
    readonly stretches: readonly TimelineStretch[];
    readonly listing: WalListing;
    readonly segmentBytes: number;
  },
  { signal }: RunOptions,
): Promise<{ readonly run: WalRun; readonly open: SegmentPrefix | undefined }> {
  let { listing } = way;
  for (;;) {
    const run = planRun(way.stretches, listing);
    const name = formatSegment(run.missing, way.segmentBytes);
    if ((await findWal(repository, name, { signal })) === undefined) {
      const prefix = await piecesOf(repository, name, { signal });
      if (prefix === undefined || prefix.bytes < prefix.segmentBytes) {
        return { run, open: run.isHole ? undefined : prefix };
      }
    }
    listing = withSegment(listing, run.missing);
  }
}

async function piecesOf(
  repository: Repository,
  name: string,
  { signal }: RunOptions,
): Promise<SegmentPrefix | undefined> {
  if (repository.cipher.unreadable !== undefined) return undefined;
  return await openPieces(repository, name, { signal });
}
