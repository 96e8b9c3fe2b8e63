import type { Lsn } from '../kernel/lsn.ts';
import type { TimelineId } from '../kernel/wal-file.ts';
import type { TimelineHistory } from '../format/history-file.ts';
import type { WalListing } from '../repository/wal-way/wal-listing.ts';
import { countOf, coverOf, type Cover } from './coverage.ts';

/** What the archive has of one timeline. */
export interface TimelineFacts {
  readonly timeline: TimelineId;
  /** Absent for a timeline without history file. */
  readonly parent: { readonly timeline: TimelineId; readonly switchLsn: Lsn } | undefined;
  readonly first: bigint;
  readonly last: bigint;
  /** Segments that are there. */
  readonly count: bigint;
  /** Between the first and the last one. */
  readonly missing: readonly Cover[];
}

/** Every timeline of which there is a segment, by number. */
export function timelinesOf(
  listing: Pick<WalListing, 'segments'>,
  histories: ReadonlyMap<TimelineId, TimelineHistory>,
): TimelineFacts[] {
  const facts: TimelineFacts[] = [];
  for (const [timeline, ranges] of listing.segments) {
    const first = ranges[0]?.first;
    const last = ranges.at(-1)?.last;
    if (first === undefined || last === undefined) continue;
    facts.push({
      timeline,
      parent: histories.get(timeline)?.ancestors.at(-1),
      first,
      last,
      count: ranges.reduce((sum, range) => sum + countOf(range), 0n),
      missing: coverOf(listing, timeline, { first, last }).filter(({ isThere }) => !isThere),
    });
  }
  return facts.sort((a, b) => a.timeline - b.timeline);
}

/** The highest timeline that the archive knows; 0 if it knows none. */
export function highestTimeline(listing: Pick<WalListing, 'segments' | 'histories'>): TimelineId {
  return Math.max(0, ...listing.segments.keys(), ...listing.histories);
}
