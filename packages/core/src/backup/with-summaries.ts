import type { BackupPosition, OpenBackup } from '../ports/backup-source.ts';
import type { WalStretch } from '../ports/changed-blocks.ts';
import type { Repository, RunOptions } from '../repository/repository.ts';
import { readHistory } from '../repository/wal-way/read-history.ts';
import type { ReasonedDelta } from './opener.ts';
import type { ParentBackup } from './parent.ts';

/**
 * The delta with what the server's WAL summaries say was changed, if that is its source. Where they
 * do not suffice, it becomes one of the pages in the files, and the reason says why.
 */
export async function withSummaries(
  repository: Repository,
  { backup, delta, reason }: ReasonedDelta & { readonly backup: OpenBackup },
  { signal }: RunOptions,
): Promise<ReasonedDelta> {
  if (delta.source !== 'summaries' || backup.kind !== 'files') return { delta, reason };
  const stretches = await stretchesSince(repository, delta.parent, backup.start, { signal });
  const changes = await backup.changedIn(stretches);
  return typeof changes === 'string'
    ? { delta: { ...delta, source: 'files' }, reason: changes }
    : { delta: { ...delta, changes }, reason };
}

/** The WAL between the start of the parent and that of the new backup, on which it is known to lie. */
async function stretchesSince(
  repository: Repository,
  parent: ParentBackup,
  { startLsn, timeline }: BackupPosition,
  { signal }: RunOptions,
): Promise<readonly WalStretch[]> {
  const stretches: WalStretch[] = [];
  let from = parent.startLsn;
  const history =
    parent.timeline === timeline ? undefined : await readHistory(repository, timeline, { signal });
  for (const ancestor of history?.ancestors ?? []) {
    if (ancestor.timeline < parent.timeline) continue;
    stretches.push({ timeline: ancestor.timeline, from, to: ancestor.switchLsn });
    from = ancestor.switchLsn;
  }
  return [...stretches, { timeline, from, to: startLsn }];
}
