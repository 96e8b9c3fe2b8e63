import { realpath } from 'node:fs/promises';
import { isTsbkError, TsbkError } from '../kernel/errors.ts';
import type { Report } from '../ports/report.ts';
import {
  readBackup,
  startTimeOf,
  type BackupDetail,
  type BackupSummary,
} from '../repository/catalog.ts';
import type { Repository, RunOptions } from '../repository/repository.ts';
import { finishTimeOf } from '../repository/backup-facts.ts';
import { manifestObject } from '../repository/manifest-object.ts';
import { checkPlaces, type CheckedPlaces, type Place } from './check-destination.ts';
import { judgeExisting, type JudgedCluster } from './in-place/existing-cluster.ts';
import { chooseWay, type ChosenWay } from './choose-way.ts';
import type { WalWay } from '../repository/wal-way/wal-way.ts';
import { measureManifest, type MeasuredFiles } from './measure-manifest.ts';
import { planChain, type PlannedChain } from '../repository/chain/plan-chain.ts';
import { chooseRelations } from './partial/choose-relations.ts';
import type { Selection } from '../repository/chain/selection.ts';
import { planTablespaces, type PlannedTablespace } from './plan-tablespaces.ts';
import { planWal } from './plan-wal.ts';
import { planWarnings } from './plan-warnings.ts';
import type { PlannedBackup, RestorePlan, RestoreRequest } from './plan.ts';
import { judgeReach, type Reach } from './reachable.ts';
import { readCandidates } from './read-candidates.ts';
import { recoverySettings } from './recovery-settings.ts';
import { requireKey } from '../repository/require-key.ts';
import { readSegmentSize } from '../repository/segment-size.ts';

type PlanOptions = RunOptions & { readonly report: Report };

/**
 * Decides everything about a restore and writes nothing: which backup, what of the archive is
 * needed and there, whether the target can be reached, where everything goes and what speaks
 * against it. What makes the request itself senseless throws (`usage`, `backup-missing`,
 * `backup-unsupported`, `target-unreachable`, `wrong-key`, `key-missing`); what only forbids to begin is in `problems`.
 */
export async function planRestore(
  repository: Repository,
  request: RestoreRequest,
  options: PlanOptions,
): Promise<RestorePlan> {
  requireWhole(request);
  for (let left = READINGS_MAX - 1; ; left -= 1) {
    try {
      return await planOnce(repository, request, options);
    } catch (error) {
      // A receiver at work folds pieces into segments: what was read is not what is there now.
      const isMoved = isTsbkError(error, 'object-missing') && error.retry;
      if (!isMoved || left === 0) throw error;
    }
  }
}

/** In place everything else would be removed, and nobody who wants a part means that. */
function requireWhole({ inPlace, only }: RestoreRequest): void {
  if (inPlace !== true || only === undefined) return;
  throw new TsbkError('usage', 'parts of a backup cannot be restored in place', {
    hint: 'Restore them into an empty directory, without --delta.',
  });
}

/** A receiver folds a segment's pieces once; several in a row take a very busy server. */
const READINGS_MAX = 5;

async function planOnce(
  repository: Repository,
  request: RestoreRequest,
  options: PlanOptions,
): Promise<RestorePlan> {
  const { signal, report } = options;
  report({ kind: 'phase', phase: 'plan', text: 'reading the catalog' });
  const { candidates, passedOver } = await readCandidates(repository, request, { signal });
  await requireKey(repository, candidates[0], { signal });
  const known = await readSegmentSize(repository, candidates[0], { signal });
  const segmentBytes = known ?? request.segmentBytes;
  const chosen = await chooseWay(repository, { ...request, candidates, segmentBytes }, options);
  if (chosen.backup.name !== candidates[0].name) {
    await requireKey(repository, chosen.backup, { signal });
  }
  const detail = await readBackup(repository, chosen.backup.name, { signal });
  report({ kind: 'phase', phase: 'plan', text: `looking at the WAL after ${detail.name}` });
  const reach = await reachOf(repository, request, { chosen, ...options });
  const selection = await selectionOf(repository, detail, { only: request.only, signal });
  const chain = await planChain(repository, detail, { selection, signal });
  const objects = await planObjects(repository, chain, { selection, signal });
  const spec = detail.sentinel.tablespaces;
  const wanted = planTablespaces(spec, request.tablespaceMapping, request.destination);
  const places = await placesOf(repository, { request, wanted, objects });
  const tablespaces = resolved(wanted, places);
  const backup = plannedBackup(detail, chosen.way);
  const judged = await judgePlaces(request, { places, tablespaces, backup });
  return {
    backup,
    destination: places.directories[0]?.path ?? request.destination,
    existing: judged.cluster,
    target: request.target,
    reach,
    ...plain(objects),
    selection,
    tablespaces,
    wal: planWal(chosen.way, reach),
    recovery: request.writeRecoverySettings
      ? recoverySettings({ ...request, partial: selection !== undefined })
      : undefined,
    warnings: [
      ...passedOver,
      ...planWarnings({ chain, way: chosen.way, tablespaces, selection, ...request }),
      ...judged.warnings,
    ],
    problems: [
      ...(reach.problem === undefined ? [] : [reach.problem]),
      ...versionProblems(detail),
      ...(await chainProblems(repository, chain, candidates, { selection, signal })),
      ...places.problems,
      ...judged.problems,
    ],
  };
}

/** What there is where the restore shall go, if it may be restored in place. */
async function judgePlaces(
  { inPlace }: RestoreRequest,
  found: {
    readonly places: CheckedPlaces;
    readonly tablespaces: readonly PlannedTablespace[];
    readonly backup: PlannedBackup;
  },
): Promise<JudgedCluster> {
  const [root, ...others] = found.places.directories;
  if (inPlace !== true || root?.state.kind !== 'occupied') {
    return { cluster: undefined, problems: [], warnings: [] };
  }
  const tablespaces = found.tablespaces.map((tablespace, index) => ({
    ...tablespace,
    isOccupied: others[index]?.state.kind === 'occupied',
  }));
  return await judgeExisting(root.path, found.backup, tablespaces);
}

async function reachOf(
  repository: Repository,
  { target, standby }: RestoreRequest,
  { chosen, signal, report }: PlanOptions & { readonly chosen: ChosenWay },
): Promise<Reach> {
  const startTime = startTimeOf(chosen.backup);
  return await judgeReach(
    { repository, way: chosen.way, signal, report },
    { target, standby, startTime, mark: chosen.mark },
  );
}

type PlannedObjects = Pick<
  RestorePlan,
  'links' | 'roll' | 'manifest' | 'fetchBytes' | 'writeBytes'
> & { readonly measured: MeasuredFiles | undefined };

async function planObjects(
  repository: Repository,
  { details, links, roll }: PlannedChain,
  { selection, signal }: SelectOptions,
): Promise<PlannedObjects> {
  const [newest, ...parents] = details;
  const { sentinel, metadata } = newest;
  const manifest = manifestObject(newest);
  const tars = links.flatMap((link) => link.tars);
  const sizes = {
    links,
    roll,
    manifest,
    fetchBytes: tars.reduce((sum, { storedBytes }) => sum + storedBytes, 0),
  };
  if (parents.length > 0) {
    // Increments do not tell in any record how long their files are.
    const allBytes = selection === undefined ? sentinel.dataCatalogBytes : undefined;
    return { ...sizes, measured: undefined, writeBytes: allBytes };
  }
  const measured =
    manifest === undefined
      ? undefined
      : await measureManifest(repository, manifest, { selection, signal });
  const recorded = sentinel.plainBytes ?? metadata?.plainBytes;
  const allBytes = selection === undefined ? recorded : undefined;
  return { ...sizes, measured, writeBytes: measured?.totalBytes ?? allBytes };
}

type SelectOptions = RunOptions & { readonly selection: Selection | undefined };

async function selectionOf(
  repository: Repository,
  { name }: BackupDetail,
  { only, signal }: RunOptions & Pick<RestoreRequest, 'only'>,
): Promise<Selection | undefined> {
  return only === undefined ? undefined : await chooseRelations(repository, name, only, { signal });
}

/** Without what served the planning. */
function plain({ links, roll, manifest, fetchBytes, writeBytes }: PlannedObjects) {
  return { links, roll, manifest, fetchBytes, writeBytes };
}

/** Other backups that are tried when the best one is broken. */
const OTHERS_MAX = 8;

/** What is wrong with the chain; if it was chosen for `LATEST`, with the backup that would do. */
async function chainProblems(
  repository: Repository,
  { problems, details }: PlannedChain,
  candidates: readonly BackupSummary[],
  { selection, signal }: SelectOptions,
): Promise<readonly TsbkError[]> {
  const [first, ...rest] = problems;
  const at = candidates.findIndex(({ name }) => name === details[0].name);
  if (first === undefined || candidates.length === 1) return problems;
  for (const { name } of candidates.slice(at + 1, at + 1 + OTHERS_MAX)) {
    const other = await readBackup(repository, name, { signal });
    const chain = await planChain(repository, other, { selection, signal });
    if (chain.problems.length > 0) continue;
    const { code, message } = first;
    const hint = `The newest backup before it that is whole is ${name}: name it.`;
    return [new TsbkError(code, message, { hint }), ...rest];
  }
  return problems;
}

async function placesOf(
  repository: Repository,
  plan: {
    readonly request: RestoreRequest;
    readonly wanted: readonly PlannedTablespace[];
    readonly objects: PlannedObjects;
  },
): Promise<CheckedPlaces> {
  const { measured, writeBytes } = plan.objects;
  const root: Place = {
    role: 'destination',
    path: plan.request.destination,
    bytes: plan.wanted.length === 0 ? writeBytes : measured?.dataDirBytes,
  };
  const others = plan.wanted.map(({ oid, location }): Place => {
    const bytes = measured === undefined ? undefined : (measured.tablespaceBytes.get(oid) ?? 0);
    return { role: `tablespace ${oid}`, path: location, bytes };
  });
  const repositoryPath = await localPath(repository);
  const { inPlace = false } = plan.request;
  return await checkPlaces([root, ...others], { repositoryPath, totalBytes: writeBytes, inPlace });
}

/** The repository's directory, if it is one on this machine. */
async function localPath({ store }: Repository): Promise<string | undefined> {
  if (!store.url.startsWith('/')) return undefined;
  return await realpath(store.url).catch(() => store.url);
}

function resolved(
  wanted: readonly PlannedTablespace[],
  { directories }: CheckedPlaces,
): PlannedTablespace[] {
  return wanted.map((tablespace, index) => ({
    ...tablespace,
    location: directories[index + 1]?.path ?? tablespace.location,
  }));
}

function plannedBackup(detail: BackupDetail, { backup }: WalWay): PlannedBackup {
  const { sentinel, metadata } = detail;
  return {
    ...backup,
    startTime: startTimeOf(detail),
    finishTime: finishTimeOf(detail),
    pgVersion: sentinel.pgVersion ?? metadata?.pgVersion,
    systemId: sentinel.systemId ?? metadata?.systemId,
  };
}

/** Before version 12 recovery was set up in another file, before 13 tsbk was never tried. */
function versionProblems({ name, sentinel, metadata }: BackupDetail): TsbkError[] {
  const version = sentinel.pgVersion ?? metadata?.pgVersion;
  if (version === undefined || version >= 130_000) return [];
  const major = version >= 100_000 ? Math.floor(version / 10_000) : version / 10_000;
  return [
    new TsbkError('backup-unsupported', `${name} is of PostgreSQL ${major}`, {
      hint: 'tsbk restores PostgreSQL 13 and later. Use wal-g for this backup.',
    }),
  ];
}
