import type { Segment, TimelineId } from '../kernel/wal-file.ts';
import type { TimelineHistory } from '../format/history-file.ts';
import { stretchesTo } from '../repository/wal-way/timeline-plan.ts';
import type { WalListing } from '../repository/wal-way/wal-listing.ts';
import { countOf, coverage, type Cover } from './coverage.ts';

/** WAL-G's words for a segment. */
export type SegmentStatus = 'FOUND' | 'MISSING_DELAYED' | 'MISSING_UPLOADING' | 'MISSING_LOST';

/** WAL-G's words for the outcome of a check. */
export type CheckStatus = 'OK' | 'WARNING' | 'FAILURE';

/** Consecutive segments of one timeline and one status. */
export interface IntegrityRow {
  readonly timeline: TimelineId;
  readonly first: bigint;
  readonly last: bigint;
  readonly status: SegmentStatus;
}

export interface Integrity {
  readonly status: CheckStatus;
  /** In the order of the WAL. */
  readonly rows: readonly IntegrityRow[];
}

export interface IntegrityRequest {
  readonly listing: Pick<WalListing, 'segments'>;
  readonly segmentBytes: number;
  /** The segment that the server writes. It is not expected yet. */
  readonly current: Segment;
  /** Of the current timeline, absent if it has no parent. */
  readonly history: TimelineHistory | undefined;
  /** The first segment that is wanted; absent if no backup tells. */
  readonly from: bigint | undefined;
  /** How many of the newest segments may be missing because archiving lags behind. */
  readonly delayed: number;
  /** How many segments before the newest one may be under way at the same time. */
  readonly uploading: number;
}

/** Segment 0 is never written: a cluster begins with segment 1. */
const FIRST_SEGMENT = 1n;

/**
 * Whether every segment from a backup to now is in the archive. The newest ones that are missing are
 * delayed or being uploaded, as WAL-G counts it, and all before them lost. One difference: of a
 * timeline that has ended nothing is under way any more, so what is missing of it is always lost.
 */
export function checkIntegrity(request: IntegrityRequest): Integrity {
  const { current, history, segmentBytes } = request;
  const first = request.from ?? FIRST_SEGMENT;
  const stretches = stretchesTo({ timeline: current.timeline, history }, { first, segmentBytes });
  const covers = coverage(stretches, request.listing, current.number - 1n);
  const rows = joined(judge(covers, request));
  return { rows, status: statusOf(rows, { isOpen: request.from === undefined }) };
}

/** From the newest to the oldest, then turned around. */
function judge(covers: readonly Cover[], request: IntegrityRequest): IntegrityRow[] {
  const rows: IntegrityRow[] = [];
  let delayed = BigInt(request.delayed);
  let uploading = BigInt(request.uploading);
  for (const cover of [...covers].reverse()) {
    let left = cover;
    const take = (count: bigint, missing: SegmentStatus): void => {
      const taken = min(count, countOf(left));
      if (taken === 0n) return;
      const isOld = left.timeline !== request.current.timeline;
      const status = left.isThere ? 'FOUND' : isOld ? 'MISSING_LOST' : missing;
      rows.push({
        timeline: left.timeline,
        first: left.last - taken + 1n,
        last: left.last,
        status,
      });
      left = { ...left, last: left.last - taken };
    };
    if (delayed > 0n) {
      const taken = min(delayed, left.isThere ? 1n : countOf(left));
      take(taken, 'MISSING_DELAYED');
      // The first one that is there ends the delay.
      delayed = cover.isThere ? 0n : delayed - taken;
    }
    if (delayed === 0n) {
      const taken = min(uploading, countOf(left));
      take(taken, 'MISSING_UPLOADING');
      uploading -= taken;
      take(countOf(left), 'MISSING_LOST');
    }
  }
  return rows.reverse();
}

/** Neighbours of one status and timeline become one row. */
function joined(rows: readonly IntegrityRow[]): IntegrityRow[] {
  const result: IntegrityRow[] = [];
  for (const row of rows) {
    const before = result.at(-1);
    if (before?.timeline === row.timeline && before.status === row.status) {
      result[result.length - 1] = { ...before, last: row.last };
    } else result.push(row);
  }
  return result;
}

function statusOf(
  rows: readonly IntegrityRow[],
  { isOpen }: { readonly isOpen: boolean },
): CheckStatus {
  // Without a backup nobody knows where the archive should begin.
  const begins = isOpen ? rows.findIndex(({ status }) => status === 'FOUND') : 0;
  const counted = begins === -1 ? [] : rows.slice(begins);
  if (counted.some(({ status }) => status === 'MISSING_LOST')) return 'FAILURE';
  return rows.every(({ status }) => status === 'FOUND') ? 'OK' : 'WARNING';
}

function min(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
