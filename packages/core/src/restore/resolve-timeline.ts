import { TsbkError } from '../kernel/errors.ts';
import type { TimelineId } from '../kernel/wal-file.ts';
import type { TimelineHistory } from '../format/history-file.ts';
import type { Repository, RunOptions } from '../repository/repository.ts';
import { findWal } from '../repository/wal-archive.ts';
import { historyName, readHistory } from '../repository/wal-way/read-history.ts';
import type { TimelineChoice } from './target.ts';
import type { WalListing } from '../repository/wal-way/wal-listing.ts';

/** The timeline that recovery ends on. */
export interface TargetTimeline {
  readonly timeline: TimelineId;
  /** Absent for a timeline without parent, or whose history is not needed. */
  readonly history: TimelineHistory | undefined;
}

/**
 * What `recovery_target_timeline` means for a backup of timeline `from` (`validateRecoveryParameters`
 * and `findNewestTimeLine` of PostgreSQL): `current` stays on it; `latest` is the last of the
 * timelines `from + 1`, `from + 2`, … that have a history file, up to the first that has none; a
 * number must have one. Throws `target-unreachable` for a number that has none.
 */
export async function resolveTimeline(
  repository: Repository,
  request: {
    readonly choice: TimelineChoice;
    readonly from: TimelineId;
    readonly listing: WalListing;
  },
  { signal }: RunOptions,
): Promise<TargetTimeline> {
  const { choice, from, listing } = request;
  if (choice === 'current') return { timeline: from, history: undefined };
  if (choice === 'latest') {
    const timeline = await newestTimeline(repository, { from, listing }, { signal });
    if (timeline === from) return { timeline, history: undefined };
    return { timeline, history: await requireHistory(repository, timeline, { signal }) };
  }
  if (choice === 1) return { timeline: 1, history: undefined };
  return { timeline: choice, history: await requireHistory(repository, choice, { signal }) };
}

async function newestTimeline(
  repository: Repository,
  { from, listing }: { readonly from: TimelineId; readonly listing: WalListing },
  { signal }: RunOptions,
): Promise<TimelineId> {
  let newest = from;
  for (;;) {
    // The listing may lag behind: only the store's own word ends the search.
    const isListed = listing.histories.has(newest + 1);
    const name = historyName(newest + 1);
    if (!isListed && (await findWal(repository, name, { signal })) === undefined) return newest;
    newest += 1;
  }
}

async function requireHistory(
  repository: Repository,
  timeline: TimelineId,
  { signal }: RunOptions,
): Promise<TimelineHistory> {
  const history = await readHistory(repository, timeline, { signal });
  if (history !== undefined) return history;
  throw new TsbkError(
    'target-unreachable',
    `${repository.store.url} has no history file of timeline ${timeline} (${historyName(timeline)})`,
    {
      hint: 'PostgreSQL would refuse to recover to this timeline. Give latest, current, or another number.',
    },
  );
}
