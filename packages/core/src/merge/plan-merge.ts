import { fullBackupName, parseBackupName } from '../kernel/backup-name.ts';
import { TsbkError } from '../kernel/errors.ts';
import type { Lsn } from '../kernel/lsn.ts';
import type { SystemId } from '../kernel/system-id.ts';
import type { TimelineId } from '../kernel/wal-file.ts';
import type { PromisedObject } from '../ports/extract.ts';
import { factsOf, type BackupFacts } from '../repository/backup-facts.ts';
import { readBackup, type BackupDetail } from '../repository/catalog.ts';
import { planChain, type PlannedChain } from '../repository/chain/plan-chain.ts';
import type { PlannedLink } from '../repository/chain/planned-link.ts';
import type { Roll } from '../repository/chain/roll.ts';
import { sentinelKey } from '../repository/layout.ts';
import { manifestObject } from '../repository/manifest-object.ts';
import { newestBackup, newestListed } from '../repository/newest-backup.ts';
import type { Repository, RunOptions } from '../repository/repository.ts';
import { requireKey } from '../repository/require-key.ts';

/** What a full backup must say of its moment. */
export interface MergedFacts extends BackupFacts {
  readonly startLsn: Lsn;
  readonly finishLsn: Lsn;
  readonly pgVersion: number;
  readonly systemId: SystemId;
}

/** What a merge will do, and what forbids it. Plain data: nothing is open. */
export interface MergePlan {
  /** Of the full backup to make. */
  readonly name: string;
  readonly timeline: TimelineId;
  /** The delta whose moment it will be of. */
  readonly newest: BackupDetail;
  readonly facts: MergedFacts;
  /** The delta and those it builds on: the newest first, the last one full. */
  readonly links: readonly PlannedLink[];
  readonly roll: Roll | undefined;
  /** PostgreSQL's manifest of the delta, if it has one. */
  readonly manifest: PromisedObject | undefined;
  /** Stored bytes to read, each once. */
  readonly fetchBytes: number;
  /** What the merge will change beside the backup that it makes. */
  readonly warnings: readonly MergeWarning[];
  /** Reasons to refuse. Empty: the merge can begin. */
  readonly problems: readonly TsbkError[];
}

export interface MergeWarning {
  /** Stable, for machines. */
  readonly code: string;
  readonly text: string;
}

/** Stands for the newest backup. */
const LATEST = 'LATEST';

/**
 * Decides what becomes of a chain and writes nothing. What makes the request senseless throws:
 * `nothing-to-merge` for a full backup, `backup-missing`, `record-invalid`, `wrong-key`, `key-missing`.
 */
export async function planMerge(
  repository: Repository,
  asked: string,
  { signal }: RunOptions,
): Promise<MergePlan> {
  const wanted = asked === LATEST ? await newestBackup(repository, { signal }) : asked;
  const newest = await readBackup(repository, wanted, { signal });
  const parsed = parseBackupName(newest.name);
  if (newest.sentinel.delta === undefined && parsed?.parentSegment === undefined) {
    throw nothingToMerge(newest.name, asked);
  }
  if (parsed === undefined) {
    throw new TsbkError('record-invalid', `${newest.name} does not say in which segment it starts`);
  }
  await requireKey(repository, newest, { signal });
  const chain = await planChain(repository, newest, { signal });
  const { text: name } = fullBackupName(parsed.segment);
  return {
    name,
    timeline: Number.parseInt(parsed.segment.slice(0, 8), 16),
    newest,
    facts: requireFacts(newest),
    links: chain.links,
    roll: chain.roll,
    manifest: manifestObject(newest),
    fetchBytes: fetchBytes(chain),
    warnings: await warningsOf(repository, newest, { signal }),
    problems: [...chain.problems, ...(await nameProblems(repository, name, { signal }))],
  };
}

function fetchBytes({ links }: PlannedChain): number {
  const tars = links.flatMap((link) => link.tars);
  return tars.reduce((sum, { storedBytes }) => sum + storedBytes, 0);
}

async function nameProblems(
  { store }: Repository,
  name: string,
  { signal }: RunOptions,
): Promise<TsbkError[]> {
  if ((await store.stat(sentinelKey(name), { signal })) === undefined) return [];
  return [nameTaken(name, 'that backup is complete')];
}

/** What is stored last is what WAL-G takes for the newest. */
async function warningsOf(
  repository: Repository,
  { name }: BackupDetail,
  { signal }: RunOptions,
): Promise<MergeWarning[]> {
  const last = await newestListed(repository, { signal });
  if (last === undefined || last.name === name) return [];
  const text = `wal-g takes the backup that was stored last for LATEST: that is the merged one from now on, and was ${last.name}`;
  return [{ code: 'walg-latest', text }];
}

function nothingToMerge(name: string, asked: string): TsbkError {
  const isLatest = asked === LATEST;
  const what = isLatest ? `the newest backup, ${name},` : name;
  return new TsbkError('nothing-to-merge', `${what} is a full backup already`, {
    hint: isLatest
      ? 'There is nothing to do: restores of it read one backup. Name a delta (tsbk backup-list) if an older one is meant.'
      : 'Name a delta (tsbk backup-list): what it builds on is folded into a new full backup of its moment.',
  });
}

/** Two backups cannot have one name. */
export function nameTaken(name: string, holder: string): TsbkError {
  return new TsbkError(
    'backup-exists',
    `${name}, as the merged backup is called, is taken: ${holder}`,
    {
      hint: 'A full backup of that moment is there already (tsbk backup-list), or is being made (tsbk st claims).',
    },
  );
}

function requireFacts(backup: BackupDetail): MergedFacts {
  const facts = factsOf(backup);
  const { startLsn, finishLsn, pgVersion, systemId } = facts;
  if (
    startLsn !== undefined &&
    finishLsn !== undefined &&
    pgVersion !== undefined &&
    systemId !== undefined
  ) {
    return { ...facts, startLsn, finishLsn, pgVersion, systemId };
  }
  const text = `the records of ${backup.name} lack its LSNs, its version or its cluster`;
  throw new TsbkError('record-invalid', text, { hint: 'It can be restored, and not be merged.' });
}
