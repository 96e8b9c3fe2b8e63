import type { Repository, RunOptions } from '../repository/repository.ts';
import type { BackupPlace } from '../repository/wal-way/timeline-plan.ts';
import type { WalListing } from '../repository/wal-way/wal-listing.ts';
import { followWay, type WalWay } from '../repository/wal-way/wal-way.ts';
import { resolveTimeline } from './resolve-timeline.ts';
import type { TimelineChoice } from './target.ts';

/**
 * Finds how far recovery can go from a backup. Throws `target-unreachable` when the timeline does
 * not come from the backup or does not exist.
 */
export async function findWay(
  repository: Repository,
  request: {
    readonly backup: BackupPlace;
    readonly choice: TimelineChoice;
    readonly listing: WalListing;
    readonly segmentBytes: number;
  },
  { signal }: RunOptions,
): Promise<WalWay> {
  const { backup, choice, listing, segmentBytes } = request;
  const target = await resolveTimeline(
    repository,
    { choice, from: backup.timeline, listing },
    { signal },
  );
  return await followWay(repository, { backup, target, listing, segmentBytes }, { signal });
}
