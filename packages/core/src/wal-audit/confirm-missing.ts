import { formatSegment, type Segment } from '../kernel/wal-file.ts';
import type { Repository, RunOptions } from '../repository/repository.ts';
import { findWal } from '../repository/wal-archive.ts';
import { withSegment } from '../repository/wal-way/wal-listing.ts';
import { mapParallel } from '../stream/parallel.ts';
import type { Cover } from './coverage.ts';
import type { ArchiveState } from './read-archive.ts';

const LOOKUPS_AT_ONCE = 8;
/** A listing that lags behind lacks a few; of a longer gap the rest is believed. */
const CONFIRMED_MAX = 128;

/**
 * Asks for the newest missing segments by name, because a listing may lag behind, and segments come
 * while it is made. Gives the state with those that are there after all.
 */
export async function confirmMissing(
  repository: Repository,
  state: ArchiveState,
  covers: readonly Cover[],
  { signal }: RunOptions,
): Promise<ArchiveState> {
  const asked = newestMissing(covers);
  const found = await mapParallel(
    asked,
    { width: LOOKUPS_AT_ONCE, signal },
    async (segment, both) => {
      const name = formatSegment(segment, state.segmentBytes);
      return (await findWal(repository, name, { signal: both })) === undefined ? [] : [segment];
    },
  );
  return { ...state, listing: found.flat().reduce(withSegment, state.listing) };
}

function newestMissing(covers: readonly Cover[]): Segment[] {
  const segments: Segment[] = [];
  for (const { timeline, first, last, isThere } of [...covers].reverse()) {
    if (isThere) continue;
    for (let number = last; number >= first && segments.length < CONFIRMED_MAX; number -= 1n) {
      segments.push({ timeline, number });
    }
  }
  return segments;
}
