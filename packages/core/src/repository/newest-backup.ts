import { TsbkError } from '../kernel/errors.ts';
import type { Instant } from '../kernel/instant.ts';
import { listBackups, newestOf, readCatalog } from './catalog.ts';
import { sentinelKey } from './layout.ts';
import { readRecord } from './read-record.ts';
import type { Repository, RunOptions } from './repository.ts';
import { parseSentinel } from './sentinel.ts';

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

/** What monitoring wants to know of a backup. */
export interface BackupFigures {
  readonly name: string;
  readonly finished: Instant;
  readonly plainBytes: number | undefined;
  readonly storedBytes: number | undefined;
}

/**
 * The backup whose sentinel the store took last; `undefined` without backups. For watching: it costs a
 * listing and one read, however many backups there are.
 */
export async function newestListed(
  repository: Repository,
  { signal }: RunOptions,
): Promise<BackupFigures | undefined> {
  const listed = await listBackups(repository, { signal });
  const [newest] = listed.toSorted((a, b) => (a.modified > b.modified ? -1 : 1));
  if (newest === undefined) return undefined;
  const key = sentinelKey(newest.name);
  const record = await readRecord(repository, key, { signal });
  if (record === undefined) return undefined;
  const { finishTime, plainBytes, storedBytes } = parseSentinel(record, key);
  return { name: newest.name, finished: finishTime ?? newest.modified, plainBytes, storedBytes };
}
