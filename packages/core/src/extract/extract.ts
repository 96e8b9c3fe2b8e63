import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { TsbkError } from '../kernel/errors.ts';
import type { Lanes } from '../ports/lanes.ts';
import type { Report } from '../ports/report.ts';
import { findInstallation, type Installation } from '../programs/installation.ts';
import { giveTo, type SystemUser } from '../programs/run-as.ts';
import { readBackup } from '../repository/catalog.ts';
import type { Repository, RunOptions } from '../repository/repository.ts';
import { fetchBackup, type FetchRequest } from '../restore/fetch.ts';
import type { RestorePlan } from '../restore/plan.ts';
import { planRestore } from '../restore/plan-restore.ts';
import { recoverySettings } from '../restore/recovery-settings.ts';
import { choosePreload } from './choose-preload.ts';
import { dumpObjects, type Dump, type DumpFormat } from './dump-objects.ts';
import { makeScratchDirectory } from './scratch-directory.ts';
import { chooseScopes, ScopeTooNarrow, type Scope } from './scope.ts';
import { requireNoNewTablespace } from './new-tablespaces.ts';
import { startScratchServer } from './scratch-server.ts';
import { writeServerFiles } from './server-files.ts';
import { namesToRestore, type WantedDatabase } from './wanted-objects.ts';

export interface ExtractInputs {
  readonly repository: Repository;
  readonly lanes: Lanes;
}

/** What is to be taken out, from where, and by whose programs. */
export interface ExtractRequest extends Pick<
  FetchRequest,
  'backup' | 'target' | 'timeline' | 'restoreCommand' | 'segmentBytes'
> {
  readonly wanted: readonly WantedDatabase[];
  /** A file; a directory to be made where several databases are wanted. */
  readonly out: string;
  readonly format: DumpFormat;
  readonly scratchDirectory: string;
  /** Where the server's socket goes: a short path. */
  readonly socketDirectory: string;
  readonly programs: { readonly directory: string | undefined; readonly path: string | undefined };
  /** Who server and pg_dump run as; this process's user if absent. */
  readonly user: SystemUser | undefined;
  /** A superuser of the cluster. */
  readonly role: string;
  /** Load the libraries that the original server had loaded. */
  readonly preload: boolean;
  /** What the server's `restore_command` finds the repository and its keys by. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

export interface ExtractResult {
  readonly backup: string;
  readonly scope: Scope['kind'];
  readonly dumps: readonly Dump[];
}

/** What an extraction would do. */
export interface ExtractPlan {
  readonly restore: RestorePlan;
  readonly scope: Scope;
  readonly installation: Installation;
}

type ExtractOptions = RunOptions & { readonly report: Report };

/**
 * Says what of the cluster would be restored, and from what, and by which programs. Throws what
 * `planRestore` and `findInstallation` throw.
 */
export async function planExtract(
  repository: Repository,
  request: ExtractRequest,
  options: ExtractOptions,
): Promise<ExtractPlan> {
  const first = await firstPlan(repository, request, options);
  const { scopes, installation } = await decide(repository, request, first, options);
  const [scope = { kind: 'all' } as const] = scopes;
  const destination = plannedPlace(request);
  const restore = await planRestore(
    repository,
    fetchRequest(request, { first, scope, destination }),
    options,
  );
  return { restore, scope, installation };
}

/**
 * Takes objects out of a backup as they were at a target: restores as little as is sure to be
 * enough into a throwaway directory, recovers it with a server that nobody else can reach and that
 * does nothing by itself, dumps, and removes everything, however it ends. Throws what `fetchBackup`
 * throws, `programs-missing`, `extract-failed`, `object-unknown`, `target-not-empty`.
 */
export async function extractObjects(
  inputs: ExtractInputs,
  request: ExtractRequest,
  options: ExtractOptions,
): Promise<ExtractResult> {
  const { repository } = inputs;
  await requireAbsent(request.out);
  const first = await firstPlan(repository, request, options);
  if (first.reach.problem !== undefined) throw first.reach.problem;
  const decided = await decide(repository, request, first, options);
  await requireNoNewTablespace(repository, first, { ...request, ...options });
  for (const scope of decided.scopes) {
    try {
      const dumps = await extractIn(inputs, request, { ...decided, first, scope }, options);
      return { backup: first.backup.name, scope: scope.kind, dumps };
    } catch (error) {
      if (!(error instanceof ScopeTooNarrow)) throw error;
      const text = `${error.message}: once more, with more of the cluster`;
      options.report({ kind: 'warning', code: 'scope-too-narrow', text });
    }
  }
  throw new TypeError('the last scope is everything, and that is never too narrow');
}

interface Decided {
  readonly scopes: readonly Scope[];
  readonly installation: Installation;
}

async function decide(
  repository: Repository,
  request: ExtractRequest,
  { backup }: RestorePlan,
  { signal }: ExtractOptions,
): Promise<Decided> {
  const { programs, wanted } = request;
  if (backup.pgVersion === undefined) {
    throw new TsbkError(
      'backup-unsupported',
      `${backup.name} does not say which PostgreSQL it is of`,
    );
  }
  const major = Math.floor(backup.pgVersion / 10_000);
  const installation = await findInstallation(major, { ...programs, signal });
  const { side } = await readBackup(repository, backup.name, { signal });
  const known = { name: backup.name, isOwn: side !== undefined };
  const scopes = await chooseScopes(repository, known, namesToRestore(wanted), { signal });
  return { scopes, installation };
}

interface Attempt {
  readonly first: RestorePlan;
  readonly scope: Scope;
  readonly installation: Installation;
}

async function extractIn(
  { repository, lanes }: ExtractInputs,
  request: ExtractRequest,
  { first, scope, installation }: Attempt,
  { signal, report }: ExtractOptions,
): Promise<readonly Dump[]> {
  await using scratch = await makeScratchDirectory(
    request.scratchDirectory,
    request.socketDirectory,
  );
  const fetched = await fetchBackup(
    { repository, lanes },
    fetchRequest(request, { first, scope, destination: join(scratch.root, 'data') }),
    { signal, report: quiet(report) },
  );
  const { plan } = fetched;
  const preload = await choosePreload(plan.destination, installation, { ...request, signal });
  const conf = await writeServerFiles({
    dataDirectory: plan.destination,
    ...scratch,
    major: Math.floor((plan.backup.pgVersion ?? 0) / 10_000),
    recovery: recoverySettings({
      ...request,
      action: 'promote',
      standby: false,
      partial: plan.selection !== undefined,
    }).block.settings,
    preload,
  });
  if (request.user !== undefined) {
    for (const path of [scratch.root, scratch.sockets])
      await giveTo(request.user, path, { signal });
  }
  report({ kind: 'phase', phase: 'recover', text: 'recovering on a server of its own' });
  const place = { ...scratch, dataDirectory: plan.destination, conf, installation };
  await using server = await startScratchServer(place, { ...request, signal });
  report({ kind: 'phase', phase: 'dump', text: 'dumping' });
  const restored = { backup: plan.backup.name, selection: plan.selection };
  return await dumpObjects({ repository, server, installation, restored }, request, {
    signal,
    report,
  });
}

/** Chooses the backup and sees where its tablespaces were; nothing of its places counts. */
async function firstPlan(
  repository: Repository,
  request: ExtractRequest,
  options: ExtractOptions,
): Promise<RestorePlan> {
  const place = { backup: request.backup, destination: plannedPlace(request) };
  return await planRestore(repository, { ...recovered(request), ...place }, options);
}

function plannedPlace({ scratchDirectory }: ExtractRequest): string {
  return join(scratchDirectory, 'tsbk-extract-planned');
}

/** Tablespaces go inside the data directory: nothing of the original's places may be touched. */
function fetchRequest(
  request: ExtractRequest,
  place: { readonly first: RestorePlan; readonly scope: Scope; readonly destination: string },
): FetchRequest {
  const { first, scope, destination } = place;
  return {
    ...recovered(request),
    backup: first.backup.name,
    destination,
    tablespaceMapping: first.tablespaces.map(({ oid }) => ({
      from: oid,
      to: join(destination, 'tsbk_tablespaces', oid),
    })),
    only: scope.kind === 'all' ? undefined : scope.only,
  };
}

function recovered({
  target,
  timeline,
  restoreCommand,
  segmentBytes,
}: ExtractRequest): Omit<FetchRequest, 'backup' | 'destination'> {
  return {
    target,
    timeline,
    restoreCommand,
    segmentBytes,
    action: 'promote',
    standby: false,
    writeRecoverySettings: false,
    tablespaceMapping: [],
    fsync: false,
  };
}

/** Before a recovery that may take hours; that nothing is replaced is made sure of at the end. */
async function requireAbsent(path: string): Promise<void> {
  const isThere = await lstat(path).then(
    () => true,
    () => false,
  );
  if (!isThere) return;
  throw new TsbkError('target-not-empty', `${path} exists`, { hint: 'Give another --out.' });
}

/** Without what is told to somebody who will keep the directory. */
function quiet(report: Report): Report {
  return (event) => {
    const isTold =
      event.kind === 'warning' && ['partial', 'tablespace-inside'].includes(event.code);
    if (!isTold) report(event);
  };
}
