import { TsbkError } from '../kernel/errors.ts';
import { newestOf, readCatalog } from './catalog.ts';
import type { Repository, RunOptions } from './repository.ts';

/**
 * Name of the newest backup by start time (not by the store's clock, which a copy would change).
 * Throws `backup-missing` in a repository without backups.
 */
export async function newestBackup(
  repository: Repository,
  { signal }: RunOptions,
): Promise<string> {
  const newest = newestOf((await readCatalog(repository, { signal })).backups);
  if (newest !== undefined) return newest.name;
  throw new TsbkError('backup-missing', `${repository.store.url} holds no backup`, {
    hint: 'Take one: tsbk backup-push.',
  });
}
