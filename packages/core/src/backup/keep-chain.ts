import { TsbkError } from '../kernel/errors.ts';
import { sentinelKey } from '../repository/layout.ts';
import { markPermanent } from '../repository/mark-permanent.ts';
import type { Repository, RunOptions } from '../repository/repository.ts';
import type { ParentBackup } from './parent.ts';

/**
 * The last look at what a delta stands on, before its own sentinel makes it a backup: all of it must
 * still be there, and is made permanent before a permanent delta exists. Throws `backup-missing`.
 */
export async function keepChain(
  repository: Repository,
  { chain }: ParentBackup,
  { permanent, signal }: RunOptions & { readonly permanent: boolean },
): Promise<void> {
  // The full backup first: a run that is killed here leaves no permanent delta on what may go.
  for (const name of chain.toReversed()) {
    if (permanent) await markPermanent(repository, name, { signal });
    if ((await repository.store.stat(sentinelKey(name), { signal })) !== undefined) continue;
    throw new TsbkError('backup-missing', `${name} was deleted while a delta on it was taken`, {
      hint: 'The delta was not completed. Take the backup again, and delete at other times.',
    });
  }
}
