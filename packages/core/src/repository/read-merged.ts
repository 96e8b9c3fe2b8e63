import { isTsbkError } from '../kernel/errors.ts';
import type { ErrorCode } from '../kernel/error-codes.ts';
import { mapParallel } from '../stream/parallel.ts';
import { readSide, type BackupSummary } from './catalog.ts';
import { backupFolder } from './layout.ts';
import type { Repository, RunOptions } from './repository.ts';

const READS_AT_ONCE = 8;

/** A list shows a backup without what cannot be read of it; `backup-show` tells why. */
const UNREADABLE: readonly ErrorCode[] = [
  'wrong-key',
  'key-missing',
  'record-invalid',
  'object-corrupt',
];

/**
 * What full backups were merged from, by their names. Takes two small reads of each full backup; one
 * whose side record cannot be read here is not among them.
 */
export async function readMerged(
  repository: Repository,
  backups: readonly BackupSummary[],
  { signal }: RunOptions,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const merged = new Map<string, readonly string[]>();
  const full = backups.filter(({ sentinel }) => sentinel.delta === undefined);
  await mapParallel(full, { width: READS_AT_ONCE, signal }, async (backup, both) => {
    const from = await mergedFrom(repository, backup, { signal: both });
    if (from !== undefined) merged.set(backup.name, from);
  });
  return merged;
}

async function mergedFrom(
  repository: Repository,
  summary: BackupSummary,
  { signal }: RunOptions,
): Promise<readonly string[] | undefined> {
  const keys: string[] = [];
  const folder = backupFolder(summary.name);
  for await (const { key } of repository.store.list(folder, { signal, shallow: true })) {
    keys.push(key);
  }
  try {
    return (await readSide(repository, { summary, keys }, { signal }))?.merged;
  } catch (error) {
    if (UNREADABLE.some((code) => isTsbkError(error, code))) return undefined;
    throw error;
  }
}
