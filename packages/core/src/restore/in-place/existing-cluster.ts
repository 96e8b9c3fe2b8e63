import { lstat, readdir, readFile, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, systemErrorCode, TsbkError } from '../../kernel/errors.ts';
import type { SystemId } from '../../kernel/system-id.ts';
import { parseControlFile } from '../../format/control-file.ts';
import { serverLockHolder, serverRuns } from '../../cluster/server-lock.ts';
import { INCOMPLETE_MARK, parseIncompleteMark, type FoundMark } from '../incomplete-mark.ts';
import type { PlanWarning } from '../plan.ts';
import { judgeTablespaces, type FoundTablespace } from './existing-tablespaces.ts';

/** The data directory that a restore in place brings to a backup's state. */
export interface ExistingCluster {
  /** Its major version: 17. */
  readonly major: number;
  /** Permission bits. */
  readonly mode: number;
  /** Where `pg_wal` leads, if it is a link. */
  readonly walLocation: string | undefined;
}

export interface JudgedCluster {
  /** `undefined` if it is no data directory. */
  readonly cluster: ExistingCluster | undefined;
  /** Everything that forbids to change it. */
  readonly problems: readonly TsbkError[];
  readonly warnings: readonly PlanWarning[];
}

interface JudgedBackup {
  readonly name: string;
  /** `server_version_num`. */
  readonly pgVersion: number | undefined;
  readonly systemId: SystemId | undefined;
}

/**
 * Whether a directory that is not empty may be brought to a backup's state: a data directory of the
 * same cluster and major version in which no server works, or what an interrupted restore of that
 * cluster has left. Changes nothing.
 */
export async function judgeExisting(
  root: string,
  backup: JudgedBackup,
  tablespaces: readonly FoundTablespace[],
): Promise<JudgedCluster> {
  const mark = await readMark(root);
  const version = (await textOf(root, 'PG_VERSION'))?.trim();
  if (version === undefined && mark === undefined) {
    return { cluster: undefined, problems: [noDataDirectory(root)], warnings: [] };
  }
  const { mode, uid } = await stat(root);
  const major = Math.floor((backup.pgVersion ?? 0) / 10_000) || Number(version);
  const { location: walLocation, problem: walProblem } = await walLink(root);
  const judged = await judgeTablespaces(root, { tablespaces, mark });
  const problems = [
    await runningProblem(root),
    ownerProblem(root, uid),
    version === undefined || version === String(major)
      ? undefined
      : refused(root, `is of PostgreSQL ${version}, ${backup.name} of ${major}`),
    await clusterProblem(root, backup, mark),
    walProblem,
    ...judged.problems,
  ];
  return {
    cluster: { major, mode: mode & 0o777, walLocation },
    problems: problems.filter((problem) => problem !== undefined),
    warnings: [...judged.warnings, ...(await walWarnings(root))],
  };
}

async function readMark(root: string): Promise<FoundMark | undefined> {
  const text = await textOf(root, INCOMPLETE_MARK);
  return text === undefined ? undefined : parseIncompleteMark(text);
}

async function runningProblem(root: string): Promise<TsbkError | undefined> {
  const holder = await serverLockHolder(root);
  return holder === undefined ? undefined : serverRuns(root, holder);
}

/** What is made belongs to who makes it, and a server wants all of its files to be its own. */
function ownerProblem(root: string, uid: number): TsbkError | undefined {
  const own = process.geteuid?.();
  if (own === undefined || own === uid) return undefined;
  return new TsbkError('target-not-empty', `${root} belongs to user ${uid}, not to user ${own}`, {
    hint: 'Run tsbk as the user that PostgreSQL runs as.',
  });
}

async function clusterProblem(
  root: string,
  { name, systemId: wanted }: JudgedBackup,
  mark: FoundMark | undefined,
): Promise<TsbkError | undefined> {
  let found: string;
  try {
    found = String(parseControlFile(await readFile(join(root, 'global/pg_control'))).systemId);
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT' || mark?.systemId === undefined) {
      return refused(root, `cannot be told to be of the backup's cluster: ${messageOf(error)}`);
    }
    found = mark.systemId;
  }
  if (wanted === undefined) return refused(root, `has a cluster, ${name} does not say of which`);
  if (found === String(wanted)) return undefined;
  return new TsbkError(
    'wrong-system-id',
    `${root} is of the cluster ${found}, ${name} of ${wanted}`,
    {
      hint: 'Restore into an empty directory: another cluster is never overwritten.',
    },
  );
}

interface WalLink {
  readonly location: string | undefined;
  readonly problem?: TsbkError;
}

/** Where `pg_wal` leads. A link that leads nowhere would leave the server without a place for WAL. */
async function walLink(root: string): Promise<WalLink> {
  const path = join(root, 'pg_wal');
  try {
    if (!(await lstat(path)).isSymbolicLink()) return { location: undefined };
    const location = await realpath(path);
    const isOutside = !`${location}/`.startsWith(`${root}/`) && !root.startsWith(`${location}/`);
    if (isOutside && (await stat(location)).isDirectory()) return { location };
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT' && (await isAbsent(path)))
      return { location: undefined };
  }
  const problem = refused(root, 'has a link pg_wal that leads to no directory outside of it');
  return { location: undefined, problem };
}

async function isAbsent(path: string): Promise<boolean> {
  return await lstat(path).then(
    () => false,
    (error: unknown) => systemErrorCode(error) === 'ENOENT',
  );
}

/** WAL that was not archived exists nowhere else: whoever restores should know. */
async function walWarnings(root: string): Promise<PlanWarning[]> {
  const marks = await readdir(join(root, 'pg_wal/archive_status')).catch(() => []);
  const waiting = marks.filter((mark) => mark.endsWith('.ready')).toSorted();
  const [first] = waiting;
  if (first === undefined) return [];
  const text = `${waiting.length} files in pg_wal wait to be archived, from ${first.slice(0, -'.ready'.length)} on, and will be removed: if recovery is to reach them, copy pg_wal first or archive them`;
  return [{ code: 'wal-not-archived', text }];
}

async function textOf(root: string, name: string): Promise<string | undefined> {
  try {
    return await readFile(join(root, name), 'utf8');
  } catch {
    return undefined;
  }
}

function noDataDirectory(root: string): TsbkError {
  return new TsbkError('target-not-empty', `${root} is not a data directory`, {
    hint: 'With --delta give the data directory of the cluster, or an empty one.',
  });
}

function refused(root: string, what: string): TsbkError {
  return new TsbkError('target-not-empty', `${root} ${what}`, {
    hint: 'Restore into an empty directory.',
  });
}
