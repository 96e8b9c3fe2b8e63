import type { Instant } from '../kernel/instant.ts';
import type { TransactionEnd } from '../format/wal/wal-record.ts';
import { transactionsOf, type WalScan } from '../repository/wal-way/scan-wal.ts';
import type { RecoveryTarget } from './target.ts';
import type { SegmentRange } from '../repository/wal-way/wal-listing.ts';

export type TimeTarget = Extract<RecoveryTarget, { readonly kind: 'time' }>;

/** A stretch of idle WAL longer than this is not searched for the exact place of a moment. */
const EMPTY_SEGMENTS_MAX = 16n;

/** Whether recovery to `target` stops before a transaction that ended at `time`. */
export function isLate({ time, inclusive }: TimeTarget, ended: Instant): boolean {
  return inclusive ? ended > time : ended >= time;
}

/**
 * The transaction before which recovery to a time stops: the first one after the end of the backup
 * that is too late. `undefined` if there is none, which makes recovery fail. Looks from the end of
 * the way backwards until a segment decides; then halves the range to find the place, for times
 * grow along the WAL (commits of one moment aside).
 */
export async function findLate(
  scan: WalScan,
  target: TimeTarget,
  range: SegmentRange,
): Promise<TransactionEnd | undefined> {
  let upper = range.last;
  let last = await lookAt(scan, target, upper);
  while (last === 'empty' && upper > range.first) {
    upper -= 1n;
    last = await lookAt(scan, target, upper);
  }
  if (last === 'empty' || last === 'early') return undefined;
  return await firstLate(scan, target, { lower: range.first, upper, found: last });
}

type Look = 'empty' | 'early' | TransactionEnd;

async function lookAt(scan: WalScan, target: TimeTarget, segment: bigint): Promise<Look> {
  const { stopLsn } = scan.way.backup;
  const transactions = await transactionsOf(scan, segment);
  const after = transactions.filter(({ lsn }) => lsn >= stopLsn);
  if (after.length === 0) return 'empty';
  return after.find(({ time }) => isLate(target, time)) ?? 'early';
}

/** `found` is in segment `upper`; an earlier one would be in a segment from `lower` on. */
async function firstLate(
  scan: WalScan,
  target: TimeTarget,
  range: { readonly lower: bigint; readonly upper: bigint; readonly found: TransactionEnd },
): Promise<TransactionEnd> {
  let { lower, upper, found } = range;
  while (lower < upper) {
    const middle = lower + (upper - lower) / 2n;
    let segment = middle;
    let look = await lookAt(scan, target, segment);
    while (look === 'empty' && segment + 1n < upper && segment - middle < EMPTY_SEGMENTS_MAX) {
      segment += 1n;
      look = await lookAt(scan, target, segment);
    }
    if (look === 'early') {
      lower = segment + 1n;
    } else if (look !== 'empty') {
      found = look;
      upper = middle;
    } else if (segment + 1n === upper) {
      upper = middle;
    } else {
      return found;
    }
  }
  return found;
}
