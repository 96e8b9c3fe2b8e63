import { parseBackupName } from '../kernel/backup-name.ts';
import { isTsbkError } from '../kernel/errors.ts';
import type { BackupServer } from '../ports/backup-server.ts';
import { stopLsnOf } from '../repository/backup-facts.ts';
import { readCatalog, readDetail, type BackupSummary } from '../repository/catalog.ts';
import { manifestObject } from '../repository/manifest-object.ts';
import { provenByRecord } from '../repository/require-key.ts';
import type { Repository, RunOptions } from '../repository/repository.ts';
import { chooseDeltaSource } from './choose-delta-source.ts';
import {
  chooseParent,
  type ChosenParent,
  type NoParent,
  type ParentRequest,
} from './choose-parent.ts';
import type { Delta, DeltaSource, ParentBackup } from './parent.ts';

export interface DeltaRequest extends ParentRequest {
  readonly source: 'auto' | DeltaSource;
  /** What becomes of a delta that is due and cannot be taken. */
  readonly fallback: 'full' | 'fail';
  /** Whether tsbk reads the data directory itself. */
  readonly local: boolean;
}

export type DeltaDecision =
  | NoParent
  | {
      readonly kind: 'delta';
      readonly delta: Delta;
      /** Why the changes come from there: a clause for people. */
      readonly reason: string;
      /** From where else they could come, cheapest first, if not from there. */
      readonly others: readonly DeltaSource[];
    };

export interface DeltaWish {
  readonly decision: DeltaDecision;
  readonly fallback: 'full' | 'fail';
}

interface Inputs {
  readonly repository: Repository;
  readonly server: Pick<BackupServer, 'identity' | 'summarizesWal'>;
}

const MAJOR = 10_000;
const ALWAYS_FULL: DeltaDecision = {
  kind: 'full',
  reason: 'no delta was asked for',
  obstacle: false,
};

/** What a backup is to be, for `openDelta`. */
export async function deltaWish(
  inputs: Inputs,
  { delta, permanent }: { readonly delta?: DeltaRequest | undefined; readonly permanent: boolean },
  { signal }: RunOptions,
): Promise<DeltaWish> {
  if (delta === undefined) return { decision: ALWAYS_FULL, fallback: 'full' };
  const decision = await decideDelta(inputs, { ...delta, permanent }, { signal });
  return { decision, fallback: delta.fallback };
}

/**
 * Whether the next backup is a delta, on top of which backup and by which way. Changes nothing.
 * Throws what `chooseParent` and reading the catalog throw.
 */
export async function decideDelta(
  { repository, server }: Inputs,
  request: DeltaRequest & { readonly permanent: boolean },
  { signal }: RunOptions,
): Promise<DeltaDecision> {
  const { systemId, versionNumber } = server.identity;
  const isDue = !request.full && request.maxSteps > 0;
  const { backups } = isDue ? await readCatalog(repository, { signal }) : { backups: [] };
  const { permanent } = request;
  const choice = chooseParent(backups, request, { permanent, systemId, versionNumber });
  if (choice.kind === 'full') return choice;
  const problem = keyProblem(repository, choice.chain);
  if (problem !== undefined) return { kind: 'full', reason: problem, obstacle: true };

  const parent = await describeParent(repository, choice, { signal });
  if (typeof parent === 'string') return { kind: 'full', reason: parent, obstacle: true };
  const way = chooseDeltaSource(request.source, {
    local: request.local,
    majorVersion: Math.floor(versionNumber / MAJOR),
    summarizesWal: server.summarizesWal,
    manifestProblem: manifestProblem(repository, parent),
  });
  if (way.kind === 'none') return { kind: 'full', reason: way.reason, obstacle: true };
  const { source, reason, others } = way;
  return { kind: 'delta', delta: { parent, source }, reason, others };
}

/** A chain has one key: a restore is given no more. */
function keyProblem(repository: Repository, chain: readonly BackupSummary[]): string | undefined {
  for (const backup of chain) {
    try {
      provenByRecord(repository, backup);
    } catch (error) {
      if (isTsbkError(error, 'wrong-key')) return error.message;
      throw error;
    }
  }
  return undefined;
}

/** The parent as copiers see it; a sentence where its records do not suffice. */
async function describeParent(
  repository: Repository,
  { chain, count }: ChosenParent,
  { signal }: RunOptions,
): Promise<ParentBackup | string> {
  const [summary] = chain;
  const { name, sentinel } = summary;
  const segment = parseBackupName(name)?.segment;
  const stopLsn = stopLsnOf(summary);
  const { startLsn } = sentinel;
  if (segment === undefined) return `${name} is no name that a delta can refer to`;
  if (startLsn === undefined || stopLsn === undefined) return `${name} does not say where it lies`;
  const full = chain.at(-1) ?? summary;
  return {
    name,
    segment,
    link: { from: name, fullName: full.name, lsn: startLsn, count },
    startLsn,
    stopLsn,
    timeline: Number.parseInt(segment.slice(0, 8), 16),
    chain: chain.map((link) => link.name),
    manifest: manifestObject(await readDetail(repository, summary, { signal })),
  };
}

/** Why the parent's manifest cannot be given to the server, if so. */
function manifestProblem(
  { cipher }: Repository,
  { name, manifest }: ParentBackup,
): string | undefined {
  if (manifest === undefined) return `${name} has no backup_manifest`;
  return cipher.unreadable === undefined
    ? undefined
    : `the configured key cannot read the manifest of ${name}`;
}
