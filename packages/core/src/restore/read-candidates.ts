import { formatInstant } from '../kernel/instant.ts';
import { readBackup, readCatalog, type BackupSummary } from '../repository/catalog.ts';
import type { Repository, RunOptions } from '../repository/repository.ts';
import { candidateBackups, LATEST } from './choose-backup.ts';
import type { PlanWarning } from './plan.ts';
import type { RecoveryTarget } from './target.ts';

export interface Candidates {
  /** Best first. */
  readonly candidates: readonly [BackupSummary, ...BackupSummary[]];
  /** Backups that could not be considered. */
  readonly passedOver: readonly PlanWarning[];
}

/** The backups that a request can mean. Throws what `candidateBackups` and `readBackup` throw. */
export async function readCandidates(
  repository: Repository,
  { backup, target }: { readonly backup: string; readonly target: RecoveryTarget },
  { signal }: RunOptions,
): Promise<Candidates> {
  if (backup !== LATEST) {
    return { candidates: [await readBackup(repository, backup, { signal })], passedOver: [] };
  }
  const { backups, broken } = await readCatalog(repository, { signal });
  return {
    candidates: candidateBackups(backups, target),
    passedOver: broken.map(({ name, modified, problem }) => ({
      code: 'backup-unreadable',
      text: `${name} (stored ${formatInstant(modified)}) was not considered: ${problem.message}`,
    })),
  };
}
