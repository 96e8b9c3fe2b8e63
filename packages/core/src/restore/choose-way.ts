import { parseBackupName } from '../kernel/backup-name.ts';
import { isTsbkError, TsbkError } from '../kernel/errors.ts';
import type { Report } from '../ports/report.ts';
import type { BackupSummary } from '../repository/catalog.ts';
import type { Repository, RunOptions } from '../repository/repository.ts';
import { findMark, type Mark } from './find-mark.ts';
import { findWay } from './find-way.ts';
import { wayEndLsn, type WalWay } from '../repository/wal-way/wal-way.ts';
import type { RecoveryTarget, TimelineChoice } from './target.ts';
import { placeOf } from '../repository/wal-way/backup-place.ts';
import { listWal } from '../repository/wal-way/wal-listing.ts';

/** A backup and the way from it. */
export interface ChosenWay {
  readonly backup: BackupSummary;
  readonly way: WalWay;
  /** The record that carries the target, for a name or a transaction id, if it was found. */
  readonly mark: Mark | undefined;
}

export interface ChooseRequest {
  /** Best first; of one backup if it was named. */
  readonly candidates: readonly [BackupSummary, ...BackupSummary[]];
  readonly target: RecoveryTarget;
  readonly timeline: TimelineChoice;
  readonly segmentBytes: number;
}

type ChooseOptions = RunOptions & { readonly report: Report };

/**
 * Takes the first candidate from which the target timeline can be reached. For a name or a
 * transaction id it searches the WAL, from the newest backup to the oldest and each segment once,
 * for the newest backup that ends before it. Throws `target-unreachable` when no candidate is of
 * the timeline.
 */
export async function chooseWay(
  repository: Repository,
  request: ChooseRequest,
  options: ChooseOptions,
): Promise<ChosenWay> {
  const refusals: TsbkError[] = [];
  const search = markSearch(repository, request.target, options);
  for (const backup of request.candidates) {
    const way = await wayOrRefusal(repository, backup, request, options);
    if (way instanceof TsbkError) {
      refusals.push(way);
      if (isOnlyChoice(request)) break;
      continue;
    }
    const chosen = await search.next({ backup, way });
    if (chosen !== undefined) return chosen;
  }
  const [refusal] = refusals;
  const newest = search.newest();
  if (newest !== undefined) return newest;
  throw refusal ?? new TypeError('there was no candidate');
}

interface MarkSearch {
  /** Offers the next older candidate; gives it back if it is the one to take. */
  next(candidate: Omit<ChosenWay, 'mark'>): Promise<ChosenWay | undefined>;
  /** The first that was offered, for a mark that is after none of them. */
  newest(): ChosenWay | undefined;
}

/** Goes on with each candidate where the search from the next newer one began. */
function markSearch(
  repository: Repository,
  target: RecoveryTarget,
  { signal, report }: ChooseOptions,
): MarkSearch {
  let newest: ChosenWay | undefined;
  let searched: ChosenWay | undefined;
  return {
    newest: () => newest,
    next: async ({ backup, way }) => {
      if (target.kind !== 'name' && target.kind !== 'xid') return { backup, way, mark: undefined };
      // Another timeline is another way: nothing of it was searched.
      const newer = searched?.way.timeline === way.timeline ? searched : undefined;
      const before = newer?.way.backup.startLsn;
      const own = await findMark({ repository, way, signal, report }, target, { before });
      const mark = own ?? reachedMark(way, newer?.mark);
      searched = { backup, way, mark };
      newest ??= searched;
      return mark !== undefined && mark.lsn >= way.backup.stopLsn ? searched : undefined;
    },
  };
}

/** What was found after a newer backup counts for an older one only if its WAL goes that far. */
function reachedMark(way: WalWay, mark: Mark | undefined): Mark | undefined {
  return mark !== undefined && mark.endLsn <= wayEndLsn(way) ? mark : undefined;
}

async function wayOrRefusal(
  repository: Repository,
  backup: BackupSummary,
  { timeline, segmentBytes }: ChooseRequest,
  { signal }: RunOptions,
): Promise<WalWay | TsbkError> {
  const place = placeOf(backup, segmentBytes);
  const from = parseBackupName(backup.name)?.segment ?? '';
  const listing = await listWal(repository, { from, segmentBytes }, { signal });
  try {
    return await findWay(
      repository,
      { backup: place, choice: timeline, listing, segmentBytes },
      { signal },
    );
  } catch (error) {
    if (isTsbkError(error, 'target-unreachable')) return error;
    throw error;
  }
}

/** Whether the next best would be another thing than what was asked for. */
function isOnlyChoice({ target, timeline }: ChooseRequest): boolean {
  return timeline === 'latest' && (target.kind === 'latest' || target.kind === 'immediate');
}
