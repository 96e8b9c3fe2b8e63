import { listNewness, type IsNew } from '../repository/wal-newness.ts';
import type { Repository, RunOptions } from '../repository/repository.ts';
import { orAbort } from '../stream/abort.ts';

/** Whether nothing is archived under this name, as far as is known; `false` says nothing. */
export type AskIsNew = (segment: string, options: RunOptions) => Promise<boolean>;

/** After that others may have archived so much that it misleads. */
const LISTING_MS = 60_000;

const UNKNOWN: IsNew = () => false;

interface Listing {
  readonly isNew: Promise<IsNew>;
  readonly stop: AbortController;
  readonly begunMs: number;
  waiting: number;
}

/**
 * One listing for many files that are pushed at the same time. It belongs to all who wait for it: one
 * who goes away takes nothing from the others, and the last one ends it. Where it fails nothing is
 * known for a while, and each file is looked for by its names; whatever is wrong with the store, that
 * look finds it out. Throws the reason of the asker's own signal, and nothing else.
 */
export function sharedNewness(repository: Repository): AskIsNew {
  let current: Listing | undefined;
  const begin = (segment: string, begunMs: number): Listing => {
    const stop = new AbortController();
    const isNew = listNewness(repository, segment, { signal: stop.signal }).catch(() => UNKNOWN);
    return { isNew, stop, begunMs, waiting: 0 };
  };
  return async (segment, { signal }) => {
    signal.throwIfAborted();
    const nowMs = repository.clock.monotonicMs();
    const isFresh = current !== undefined && nowMs - current.begunMs <= LISTING_MS;
    const listing = current !== undefined && isFresh ? current : begin(segment, nowMs);
    current = listing;
    listing.waiting += 1;
    let isAnswered = false;
    try {
      const isNew = await orAbort(listing.isNew, signal);
      isAnswered = true;
      return isNew(segment);
    } finally {
      listing.waiting -= 1;
      if (!isAnswered && listing.waiting === 0) {
        // One who comes now gets a listing of his own, not the end of this one.
        if (current === listing) current = undefined;
        listing.stop.abort(signal.reason);
      }
    }
  };
}
