import { TsbkError } from '../kernel/errors.ts';
import type { Instant } from '../kernel/instant.ts';
import type { BlobInfo } from '../ports/blob-store.ts';
import { mapParallel } from '../stream/parallel.ts';
import {
  backupFolder,
  backupOfSentinelKey,
  BACKUPS_FOLDER,
  metadataKey,
  partitionsFolder,
  sentinelKey,
} from './layout.ts';
import { parseMetadata, type BackupMetadata } from './metadata.ts';
import { readRecord } from './read-record.ts';
import { provenByRecord } from './require-key.ts';
import type { Repository, RunOptions } from './repository.ts';
import { parseSentinel, type Sentinel } from './sentinel.ts';
import { readSideRecord, type SideRecord } from './side-record.ts';

/** A backup as a listing of the repository shows it. */
export interface ListedBackup {
  readonly name: string;
  /** When the store took the sentinel. */
  readonly modified: Instant;
}

/** A backup with its small records. */
export interface BackupSummary extends ListedBackup {
  readonly sentinel: Sentinel;
  /** Absent in very old repositories. */
  readonly metadata: BackupMetadata | undefined;
}

/** A backup with all of its records but the list of its files. */
export interface BackupDetail extends BackupSummary {
  readonly side: SideRecord | undefined;
  /** Objects in `tar_partitions/`, as listed: parts are never enumerated by number. */
  readonly tars: readonly BlobInfo[];
  /** All other objects of the backup's folder. */
  readonly others: readonly BlobInfo[];
}

const READS_AT_ONCE = 8;

/** Backups whose sentinel stands, sorted by name. */
export async function listBackups(
  repository: Repository,
  { signal }: RunOptions,
): Promise<ListedBackup[]> {
  const backups: ListedBackup[] = [];
  const objects = repository.store.list(BACKUPS_FOLDER, { signal, shallow: true });
  for await (const { key, modified } of objects) {
    const name = backupOfSentinelKey(key);
    if (name !== undefined) backups.push({ name, modified });
  }
  return backups;
}

/** A backup whose records cannot be read: it is shown, and never chosen. */
export interface BrokenBackup extends ListedBackup {
  readonly problem: TsbkError;
}

export interface Catalog {
  readonly backups: readonly BackupSummary[];
  readonly broken: readonly BrokenBackup[];
}

/** All backups with their small records. One bad record does not hide the others. */
export async function readCatalog(
  repository: Repository,
  { signal }: RunOptions,
): Promise<Catalog> {
  const listed = await listBackups(repository, { signal });
  const read = await mapParallel(listed, { width: READS_AT_ONCE, signal }, async (entry, both) => {
    try {
      return await readSummary(repository, entry, { signal: both });
    } catch (error) {
      if (error instanceof TsbkError && error.code === 'record-invalid') {
        return { ...entry, problem: error };
      }
      throw error;
    }
  });
  const backups: BackupSummary[] = [];
  const broken: BrokenBackup[] = [];
  for (const entry of read) {
    if (entry === undefined) continue;
    if ('problem' in entry) broken.push(entry);
    else backups.push(entry);
  }
  return { backups, broken };
}

/** The small records of one backup. `undefined` if its sentinel went away since the listing. */
async function readSummary(
  repository: Repository,
  { name, modified }: ListedBackup,
  { signal }: RunOptions,
): Promise<BackupSummary | undefined> {
  const [sentinel, metadata] = await Promise.all([
    readRecord(repository, sentinelKey(name), { signal }),
    readRecord(repository, metadataKey(name), { signal }),
  ]);
  if (sentinel === undefined) return undefined;
  return {
    name,
    modified,
    sentinel: parseSentinel(sentinel, sentinelKey(name)),
    metadata: metadata === undefined ? undefined : parseMetadata(metadata, metadataKey(name)),
  };
}

/** Everything of one backup but the list of its files. Throws `backup-missing` when its sentinel is not there. */
export async function readBackup(
  repository: Repository,
  name: string,
  { signal }: RunOptions,
): Promise<BackupDetail> {
  const info = await repository.store.stat(sentinelKey(name), { signal });
  const summary =
    info === undefined
      ? undefined
      : await readSummary(repository, { name, modified: info.modified }, { signal });
  if (summary === undefined) {
    throw new TsbkError('backup-missing', `${repository.store.url} has no backup ${name}`, {
      hint: 'tsbk backup-list shows what there is.',
    });
  }
  return await readDetail(repository, summary, { signal });
}

/** What a summary lacks to be everything of one backup but the list of its files. */
export async function readDetail(
  repository: Repository,
  summary: BackupSummary,
  { signal }: RunOptions,
): Promise<BackupDetail> {
  const { name } = summary;
  const objects: BlobInfo[] = [];
  for await (const object of repository.store.list(backupFolder(name), { signal })) {
    objects.push(object);
  }
  const inTars = (object: BlobInfo): boolean => object.key.startsWith(partitionsFolder(name));
  const others = objects.filter((object) => !inTars(object));
  const keys = others.map(({ key }) => key);
  return {
    ...summary,
    side: await readSide(repository, { summary, keys }, { signal }),
    tars: objects.filter(inTars),
    others,
  };
}

/** The side record, where it can be read: one who can only write may still list. Throws `wrong-key`. */
export async function readSide(
  repository: Repository,
  { summary, keys }: { readonly summary: BackupSummary; readonly keys: readonly string[] },
  { signal }: RunOptions,
): Promise<SideRecord | undefined> {
  provenByRecord(repository, summary);
  if (repository.cipher.unreadable !== undefined) return undefined;
  return await readSideRecord(repository, { backup: summary.name, keys }, { signal });
}

/** When the backup began: the records' word, the store's time where they have none. */
export function startTimeOf(backup: BackupSummary): Instant {
  return backup.metadata?.startTime ?? backup.sentinel.startTime ?? backup.modified;
}

/**
 * Sorts the newest backup first, by start time. Of one moment a full backup goes first: a delta was
 * merged to it, and it does without the chain.
 */
export function newestFirst(a: BackupSummary, b: BackupSummary): number {
  const [startA, startB] = [startTimeOf(a), startTimeOf(b)];
  if (startA !== startB) return startA > startB ? -1 : 1;
  return rankOf(a) - rankOf(b);
}

function rankOf({ sentinel }: BackupSummary): number {
  return sentinel.delta === undefined ? 0 : 1;
}

/** The newest backup, see `newestFirst`; `undefined` if there is none. */
export function newestOf(backups: readonly BackupSummary[]): BackupSummary | undefined {
  let newest = backups[0];
  for (const backup of backups) {
    if (newest === undefined || newestFirst(backup, newest) < 0) newest = backup;
  }
  return newest;
}

/** The sentinel of the newest backup by start time; `undefined` in an empty repository. */
export async function newestSentinel(
  repository: Repository,
  { signal }: RunOptions,
): Promise<Sentinel | undefined> {
  return newestOf((await readCatalog(repository, { signal })).backups)?.sentinel;
}
