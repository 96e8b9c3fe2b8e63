import type { TimelineId } from '../kernel/wal-file.ts';
import type { TimelineStretch } from '../repository/wal-way/timeline-plan.ts';
import type { WalListing } from '../repository/wal-way/wal-listing.ts';

/** Consecutive segments of one timeline, all of which the archive has, or none. */
export interface Cover {
  readonly timeline: TimelineId;
  readonly first: bigint;
  readonly last: bigint;
  readonly isThere: boolean;
}

/** How many segments it is. */
export function countOf({ first, last }: Pick<Cover, 'first' | 'last'>): bigint {
  return last - first + 1n;
}

/**
 * What of a way is in the archive and what is not, in the order of the WAL, up to segment `last`.
 * Ranges in, ranges out: a million segments without a hole are one.
 */
export function coverage(
  stretches: readonly TimelineStretch[],
  listing: Pick<WalListing, 'segments'>,
  last: bigint,
): Cover[] {
  const covers: Cover[] = [];
  for (const stretch of stretches) {
    const end = stretch.last === undefined || stretch.last > last ? last : stretch.last;
    covers.push(...coverOf(listing, stretch.timeline, { first: stretch.first, last: end }));
  }
  return covers;
}

/** The same for a range of one timeline. */
export function coverOf(
  { segments }: Pick<WalListing, 'segments'>,
  timeline: TimelineId,
  range: { readonly first: bigint; readonly last: bigint },
): Cover[] {
  const covers: Cover[] = [];
  let next = range.first;
  for (const { first, last } of segments.get(timeline) ?? []) {
    if (last < next) continue;
    if (first > range.last) break;
    if (first > next) covers.push({ timeline, first: next, last: first - 1n, isThere: false });
    const from = first > next ? first : next;
    const to = last < range.last ? last : range.last;
    covers.push({ timeline, first: from, last: to, isThere: true });
    next = to + 1n;
  }
  if (next <= range.last) covers.push({ timeline, first: next, last: range.last, isThere: false });
  return covers;
}
