import { parseBackupName } from '../../kernel/backup-name.ts';
import { isTsbkError, TsbkError } from '../../kernel/errors.ts';
import { readBackup, type BackupDetail } from '../catalog.ts';
import type { Repository, RunOptions } from '../repository.ts';
import type { DeltaLink } from '../sentinel.ts';

/** A backup and those it builds on. */
export interface Chain {
  /** The newest first; the last is a full one, unless there is a problem. */
  readonly links: readonly [BackupDetail, ...BackupDetail[]];
  /** Why it does not lead to a full backup. */
  readonly problem: TsbkError | undefined;
}

/** Follows a backup's records down to the full backup under it. Throws `record-invalid`. */
export async function readChain(
  repository: Repository,
  newest: BackupDetail,
  { signal }: RunOptions,
): Promise<Chain> {
  const links: [BackupDetail, ...BackupDetail[]] = [newest];
  for (let child = newest; ;) {
    const { delta } = child.sentinel;
    if (delta === undefined) return { links, problem: namedDelta(child) };
    if (links.some(({ name }) => name === delta.from)) {
      return { links, problem: broken(newest, `${child.name} builds on ${delta.from}: a circle`) };
    }
    const parent = await readParent(repository, delta, { signal });
    if (parent === undefined) {
      const text = `${child.name} builds on ${delta.from || 'a backup without a name'}, which is not there`;
      return { links, problem: broken(newest, text) };
    }
    const mismatch = mismatchOf(child, parent);
    if (mismatch !== undefined) return { links, problem: broken(newest, mismatch) };
    links.push(parent);
    child = parent;
  }
}

/** Why a backup of a chain forbids to restore its newest one. */
export function broken({ name }: { readonly name: string }, problem: string): TsbkError {
  return new TsbkError('backup-incomplete', `${name} cannot be restored: ${problem}`, {
    hint: 'Choose another backup (tsbk backup-list).',
  });
}

/** A file of the records is in none of the objects. */
export function noTarHolds(backup: string, name: string): TsbkError {
  return new TsbkError('backup-incomplete', `no tar of ${backup} holds ${name}`, {
    hint: 'The backup lost an object, or a tar was cut off. Choose another backup.',
  });
}

async function readParent(
  repository: Repository,
  { from }: DeltaLink,
  { signal }: RunOptions,
): Promise<BackupDetail | undefined> {
  if (from === '') return undefined;
  try {
    return await readBackup(repository, from, { signal });
  } catch (error) {
    if (isTsbkError(error, 'backup-missing')) return undefined;
    throw error;
  }
}

/** A backup that took the name of the real parent is none, nor is one of another cluster. */
function mismatchOf(child: BackupDetail, parent: BackupDetail): string | undefined {
  const [own, parents] = [child, parent].map(
    ({ sentinel, metadata }) => sentinel.systemId ?? metadata?.systemId,
  );
  if (own !== undefined && parents !== undefined && own !== parents) {
    return `${child.name} is of the cluster ${own}, and ${parent.name}, on which it builds, of ${parents}`;
  }
  const expected = child.sentinel.delta?.lsn;
  const found = parent.sentinel.startLsn ?? parent.metadata?.startLsn;
  if (expected === undefined || found === undefined || expected === found) return undefined;
  return `${parent.name} is not the backup that ${child.name} builds on: it starts elsewhere`;
}

/** The records of a delta may be incomplete; its name tells, too. */
function namedDelta(backup: BackupDetail): TsbkError | undefined {
  if (parseBackupName(backup.name)?.parentSegment === undefined) return undefined;
  return broken(
    backup,
    'its name is that of a delta, and its records do not say on what it builds',
  );
}
