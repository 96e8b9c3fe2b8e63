import { formatLsn } from '../kernel/lsn.ts';
import type { BackupPosition } from '../ports/backup-source.ts';
import type { Repository, RunOptions } from '../repository/repository.ts';
import { readHistory } from '../repository/wal-way/read-history.ts';
import type { ParentBackup } from './parent.ts';

/**
 * Why pages cannot be told by their LSNs from those of the parent, `undefined` if they can: it must
 * end before the new backup starts, and lie on the way that leads there. A page that was changed on
 * another timeline may have a smaller LSN than the parent, and would be missed.
 */
export async function parentProblem(
  repository: Repository,
  { parent, start }: { readonly parent: ParentBackup; readonly start: BackupPosition },
  { signal }: RunOptions,
): Promise<string | undefined> {
  const { name, stopLsn, timeline } = parent;
  if (stopLsn > start.startLsn) {
    return `${name} ends at ${formatLsn(stopLsn)}, and this backup starts at ${formatLsn(start.startLsn)}`;
  }
  if (timeline === start.timeline) return undefined;
  const history = await readHistory(repository, start.timeline, { signal });
  if (history === undefined) {
    return `${name} is of timeline ${timeline}, and the archive has no history of ${start.timeline}`;
  }
  const left = history.ancestors.find((ancestor) => ancestor.timeline === timeline);
  if (left !== undefined && left.switchLsn >= stopLsn) return undefined;
  return `${name} is of timeline ${timeline} beyond where timeline ${start.timeline} comes from`;
}
