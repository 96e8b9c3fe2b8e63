import { TsbkError } from '../kernel/errors.ts';
import { formatInstant } from '../kernel/instant.ts';
import { formatLsn } from '../kernel/lsn.ts';
import { finishTimeOf, stopLsnOf } from '../repository/backup-facts.ts';
import { newestFirst, type BackupSummary } from '../repository/catalog.ts';
import { describeTarget, type RecoveryTarget } from './target.ts';

/** What stands for the newest backup. */
export const LATEST = 'LATEST';

/**
 * The backups that `LATEST` can mean, best first: the newest one first; with a target that the catalog can
 * judge (time, LSN) only those that end before it. For other targets the WAL must tell. Throws
 * `backup-missing` when the repository is empty, `target-unreachable` when all end too late.
 */
export function candidateBackups(
  backups: readonly BackupSummary[],
  target: RecoveryTarget,
): readonly [BackupSummary, ...BackupSummary[]] {
  const byStart = [...backups].sort(newestFirst);
  if (byStart.length === 0) {
    throw new TsbkError('backup-missing', 'the repository has no backup', {
      hint: 'tsbk backup-push makes one.',
    });
  }
  const [first, ...others] = byStart.filter((backup) => endsBefore(backup, target));
  if (first !== undefined) return [first, ...others];
  throw new TsbkError('target-unreachable', `no backup ends before ${describeTarget(target)}`, {
    hint: `The oldest backup ${describeEnd(byStart)}; nothing before that can be restored.`,
  });
}

function endsBefore(backup: BackupSummary, target: RecoveryTarget): boolean {
  switch (target.kind) {
    case 'time':
      return finishTimeOf(backup) <= target.time;
    case 'lsn': {
      const stopLsn = stopLsnOf(backup);
      return stopLsn !== undefined && stopLsn <= target.lsn;
    }
    case 'latest':
    case 'immediate':
    case 'xid':
    case 'name':
      return true;
  }
}

function describeEnd(newestFirst: readonly BackupSummary[]): string {
  const oldest = newestFirst.reduce((a, b) => (finishTimeOf(b) < finishTimeOf(a) ? b : a));
  const stopLsn = stopLsnOf(oldest);
  const lsn = stopLsn === undefined ? '' : ` at LSN ${formatLsn(stopLsn)}`;
  return `(${oldest.name}) ended ${formatInstant(finishTimeOf(oldest))}${lsn}`;
}
