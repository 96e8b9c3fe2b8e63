import {
  parseSegment,
  parseWalFileName,
  type Segment,
  type TimelineId,
  type WalFileName,
} from '../../kernel/wal-file.ts';
import { WAL_FOLDER, walKey } from '../layout.ts';
import type { Repository, RunOptions } from '../repository.ts';

/** Consecutive segments, both ends included. */
export interface SegmentRange {
  readonly first: bigint;
  readonly last: bigint;
}

/** What a listing of the archive shows. Listings may lag behind: confirm a negative that matters. */
export interface WalListing {
  /** Sorted, disjoint and not touching each other. */
  readonly segments: ReadonlyMap<TimelineId, readonly SegmentRange[]>;
  /** Timelines that have a history file. */
  readonly histories: ReadonlySet<TimelineId>;
  /** Names of segments of which there is a `.partial` file. */
  readonly partials: ReadonlySet<string>;
}

/** The last digit, so that the listing begins a little before the segment and misses nothing. */
const SLACK_DIGITS = 1;

/**
 * Lists the archive from the segment `from` (24 digits) on: later segments of its timeline, and
 * all of later timelines; everything if it is absent. Only the ranges are kept, so memory does not grow with the archive.
 */
export async function listWal(
  repository: Repository,
  { from, segmentBytes }: { readonly from?: string; readonly segmentBytes: number },
  { signal }: RunOptions,
): Promise<WalListing> {
  const listing = new ListingBuilder(segmentBytes, repository.walExtensions);
  const after = from === undefined ? {} : { after: walKey(from.slice(0, -SLACK_DIGITS)) };
  const objects = repository.store.list(WAL_FOLDER, { signal, ...after, shallow: true });
  for await (const { key } of objects) {
    listing.add(key.slice(WAL_FOLDER.length));
  }
  return listing.done();
}

/** The range that holds this segment, if the listing has it. */
export function rangeOf(
  listing: WalListing,
  timeline: TimelineId,
  number: bigint,
): SegmentRange | undefined {
  const ranges = listing.segments.get(timeline) ?? [];
  return ranges.find(({ first, last }) => first <= number && number <= last);
}

/** Whether the timeline has any segment from `from` to `to`, both included. */
export function hasSegments(
  listing: WalListing,
  timeline: TimelineId,
  { from, to }: { readonly from: bigint; readonly to: bigint | undefined },
): boolean {
  const ranges = listing.segments.get(timeline) ?? [];
  return ranges.some(({ first, last }) => last >= from && (to === undefined || first <= to));
}

/** The listing with one segment that it had missed. */
export function withSegment(listing: WalListing, { timeline, number }: Segment): WalListing {
  const ranges = listing.segments.get(timeline) ?? [];
  const before = ranges.find(({ last }) => last + 1n === number);
  const after = ranges.find(({ first }) => first === number + 1n);
  const joined = { first: before?.first ?? number, last: after?.last ?? number };
  const others = ranges.filter((range) => range !== before && range !== after);
  const sorted = [...others, joined].sort((a, b) => (a.first < b.first ? -1 : 1));
  return { ...listing, segments: new Map([...listing.segments, [timeline, sorted]]) };
}

/**
 * The WAL file that an object of the WAL folder holds: its name, with the extension of a codec, none, or
 * the dangling dot of WAL-G 3.0.8. `undefined` for every other object.
 */
export function walFileOf(
  object: string,
  extensions: ReadonlySet<string>,
): WalFileName | undefined {
  const dot = object.lastIndexOf('.');
  const isCoded = dot >= 0 && extensions.has(object.slice(dot + 1));
  return (
    parseWalFileName(object.replace(/\.$/, '')) ??
    (isCoded ? parseWalFileName(object.slice(0, dot)) : undefined)
  );
}

/** Gathers a listing from the objects' names, in the order a store lists them. */
export class ListingBuilder {
  readonly #segmentBytes: number;
  readonly #extensions: ReadonlySet<string>;
  readonly #segments = new Map<TimelineId, { first: bigint; last: bigint }[]>();
  readonly #histories = new Set<TimelineId>();
  readonly #partials = new Set<string>();

  constructor(segmentBytes: number, extensions: readonly string[]) {
    this.#segmentBytes = segmentBytes;
    this.#extensions = new Set(extensions);
  }

  add(object: string): void {
    const file = walFileOf(object, this.#extensions);
    if (file?.kind === 'history') this.#histories.add(file.timeline);
    if (file?.kind === 'partial') this.#partials.add(file.segment);
    if (file?.kind !== 'segment') return;
    const segment = parseSegment(file.name, this.#segmentBytes);
    if (segment !== undefined) this.#addSegment(segment.timeline, segment.number);
  }

  done(): WalListing {
    return {
      segments: this.#segments,
      histories: this.#histories,
      partials: this.#partials,
    };
  }

  #addSegment(timeline: TimelineId, number: bigint): void {
    const ranges = this.#segments.get(timeline) ?? [];
    const last = ranges.at(-1);
    if (last !== undefined && number === last.last + 1n) last.last = number;
    else if (last === undefined || number > last.last) ranges.push({ first: number, last: number });
    this.#segments.set(timeline, ranges);
  }
}
