import { isDeepStrictEqual } from 'node:util';
import { TsbkError } from '../kernel/errors.ts';
import type { SystemId } from '../kernel/system-id.ts';
import type { JsonValue } from '../format/json.ts';
import { factsOf, stopLsnOf } from '../repository/backup-facts.ts';
import { newestFirst, newestOf, startTimeOf, type BackupSummary } from '../repository/catalog.ts';

/** When a delta is wanted, and on top of what. */
export interface ParentRequest {
  /** A full backup, whatever else is asked for. */
  readonly full: boolean;
  /** How many deltas may follow a full backup; 0 for none. */
  readonly maxSteps: number;
  readonly origin: 'LATEST' | 'LATEST_FULL';
  readonly fromName?: string | undefined;
  readonly fromUserData?: JsonValue | undefined;
}

/** What the new backup will be. */
export interface NewBackup {
  readonly permanent: boolean;
  readonly systemId: SystemId;
  /** `server_version_num`. */
  readonly versionNumber: number;
}

export type ParentChoice = NoParent | ChosenParent;

export interface NoParent {
  readonly kind: 'full';
  /** A clause for people: "there is no backup yet". */
  readonly reason: string;
  /** A delta was due by the rules, and something is in its way. */
  readonly obstacle: boolean;
}

export interface ChosenParent {
  readonly kind: 'delta';
  /** What a restore of the parent needs, itself first, the full backup last. */
  readonly chain: readonly [BackupSummary, ...BackupSummary[]];
  /** Where the new delta will stand; 1 for the first one. */
  readonly count: number;
}

/**
 * WAL-G's rules for the parent of a delta (walg-format §4.5), with what it leaves out: the whole
 * chain must be there, of this cluster and this major version. The newest is the one that started
 * last, by its records. Throws `backup-missing` for a name that no backup has, `usage` where a choice
 * is not one.
 */
export function chooseParent(
  backups: readonly BackupSummary[],
  request: ParentRequest,
  made: NewBackup,
): ParentChoice {
  if (request.full) return byRule('--full was given');
  if (request.maxSteps === 0) {
    // Who names a parent wants a delta, and has forgotten to allow one.
    const isNamed = request.fromName !== undefined || request.fromUserData !== undefined;
    return isNamed ? inTheWay(NONE_ALLOWED) : byRule(NONE_ALLOWED);
  }
  const candidate = candidateOf(backups, request);
  if (candidate === undefined) return noCandidate(request);
  return ruledOut(candidate, request, made) ?? onTopOf(candidate, backups, { request, made });
}

/** Why the rules ask for a full backup instead, if they do. */
function ruledOut(
  { name, sentinel, metadata }: BackupSummary,
  { maxSteps, origin }: ParentRequest,
  { permanent }: NewBackup,
): NoParent | undefined {
  const steps = sentinel.delta?.count ?? 0;
  if (steps >= maxSteps)
    return byRule(`${name} is delta ${steps} of the ${maxSteps} that may follow`);
  if (metadata === undefined) return inTheWay(`${name} has no metadata.json`);
  if (!metadata.permanent || permanent || origin === 'LATEST_FULL') return undefined;
  return byRule(`${name} is permanent, and this backup will not be`);
}

function onTopOf(
  candidate: BackupSummary,
  backups: readonly BackupSummary[],
  { request, made }: { readonly request: ParentRequest; readonly made: NewBackup },
): ParentChoice {
  const chain = chainOf(candidate, backups);
  if (typeof chain === 'string') return inTheWay(chain);
  const used = request.origin === 'LATEST_FULL' ? fullOf(chain) : chain;
  const problem = used.map((link) => problemOf(link, made)).find((text) => text !== undefined);
  if (problem !== undefined) return inTheWay(problem);
  // Counted from the newest one also where the parent is the full one, as WAL-G does.
  return { kind: 'delta', chain: used, count: (candidate.sentinel.delta?.count ?? 0) + 1 };
}

const NONE_ALLOWED = 'TSBK_DELTA_MAX_STEPS is 0';

type Chain = readonly [BackupSummary, ...BackupSummary[]];

function candidateOf(
  backups: readonly BackupSummary[],
  { fromName, fromUserData }: ParentRequest,
): BackupSummary | undefined {
  if (fromName !== undefined && fromUserData !== undefined) {
    throw new TsbkError('usage', 'a parent is chosen by name and by user data', {
      hint: 'Give one of --delta-from-name and --delta-from-user-data.',
    });
  }
  if (fromName !== undefined) {
    const named = backups.find(({ name }) => name === fromName);
    if (named !== undefined) return named;
    throw new TsbkError(
      'backup-missing',
      `there is no backup ${fromName} to take a delta against`,
      {
        hint: 'tsbk backup-list shows what there is.',
      },
    );
  }
  if (fromUserData === undefined) return newestOf(backups);
  const marked = backups.filter((backup) =>
    isDeepStrictEqual(factsOf(backup).userData, fromUserData),
  );
  const fitting = marked.filter((backup) => !isMerged(backup, marked));
  if (fitting.length <= 1) return fitting[0];
  const names = fitting.map(({ name }) => name).join(', ');
  throw new TsbkError('usage', `several backups have that user data: ${names}`, {
    hint: 'Name one of them: --delta-from-name.',
  });
}

/** Whether a full backup of the same moment is among them: it has the delta's user data, too. */
function isMerged(backup: BackupSummary, others: readonly BackupSummary[]): boolean {
  const start = startTimeOf(backup);
  return others.some((other) => startTimeOf(other) === start && newestFirst(other, backup) < 0);
}

function noCandidate({ fromUserData }: ParentRequest): NoParent {
  return fromUserData === undefined
    ? byRule('there is no backup yet')
    : inTheWay('no backup has that user data');
}

/** From a backup to its full one; a sentence if it cannot be restored. */
function chainOf(backup: BackupSummary, backups: readonly BackupSummary[]): Chain | string {
  const byName = new Map(backups.map((one) => [one.name, one]));
  const older: BackupSummary[] = [];
  let link = backup;
  while (link.sentinel.delta !== undefined) {
    const { from } = link.sentinel.delta;
    const parent = byName.get(from);
    // A record that is damaged may name a backup of its own chain.
    byName.delete(from);
    if (parent === undefined) return `${backup.name} cannot be restored: ${from} is not there`;
    older.push(parent);
    link = parent;
  }
  return [backup, ...older];
}

function fullOf(chain: Chain): Chain {
  return [chain.at(-1) ?? chain[0]];
}

/** Why nothing may be built on a backup, if so. */
function problemOf(backup: BackupSummary, made: NewBackup): string | undefined {
  const { name, sentinel, metadata } = backup;
  const { systemId, pgVersion } = factsOf(backup);
  if (sentinel.startLsn === undefined || stopLsnOf(backup) === undefined) {
    return `${name} does not say where in the WAL it lies`;
  }
  if (sentinel.filesMetadataDisabled) return `${name} has no list of its files`;
  if (systemId !== undefined && systemId !== made.systemId) {
    return `${name} is of another cluster (system identifier ${systemId})`;
  }
  if (pgVersion !== undefined && majorOf(pgVersion) !== majorOf(made.versionNumber)) {
    return `${name} is of PostgreSQL ${majorOf(pgVersion)}`;
  }
  // A permanent delta makes them so, and this is where that stands.
  if (made.permanent && metadata === undefined) return `${name} has no metadata.json`;
  return undefined;
}

function majorOf(versionNumber: number): number {
  return Math.floor(versionNumber / 10_000);
}

function byRule(reason: string): NoParent {
  return { kind: 'full', reason, obstacle: false };
}

function inTheWay(reason: string): NoParent {
  return { kind: 'full', reason, obstacle: true };
}
