import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseLsn, type Lsn } from '@tsbk/core/kernel/lsn';
import { segmentNumberAt } from '@tsbk/core/kernel/wal-file';
import { eventually } from '@tsbk/test/support/eventually';
import {
  giveToServerUser,
  scratchPath,
  serverUser,
  startPostgres,
  type PostgresVersion,
  type Server,
} from '@tsbk/test/support/postgres';
import { openTestStore, type TestStore } from '@tsbk/test/support/store';
import type { Flavour } from '../contenders/contender.ts';
import type { WalReceiver } from '../contenders/wal/receivers.ts';
import type { WalContender } from '../contenders/wal/wal-contender.ts';
import type { Command } from '../measure/run-measured.ts';
import { startService } from '../measure/service.ts';
import type { Durability } from '../results.ts';
import { percentile, spreadOf } from '../statistics.ts';
import { watchArchive, type ArchiveWatch } from './watch-archive.ts';

/** A commit so often: a server that has little to do. */
const EVERY_MS = 200;
const LOAD_MS = 20_000;
/** After so long without an important record the server ends its segment; the least that it takes is 1 s. */
const ARCHIVE_TIMEOUT_S = 2;
/** For the last commit, and for a receiver to begin. */
const PATIENCE_MS = 30_000;
const STOP_MS = 10_000;

export interface DurableTask {
  readonly flavour: Flavour;
  readonly round: number;
  readonly version: PostgresVersion;
  readonly width: number;
  /** By its `archive_command`, or over the replication protocol. */
  readonly way: { readonly command: WalContender } | { readonly receiver: WalReceiver };
}

/**
 * From the moment in which a client knows that its transaction is committed to the one in which the
 * repository alone has what a restore of it takes: whole segments, and pieces where there are any.
 */
export async function measureDurable(task: DurableTask): Promise<Durability> {
  const { flavour, round, way } = task;
  const { id } = 'command' in way ? way.command : way.receiver;
  const base = { contender: id, store: flavour.store, round };
  const folder = scratchPath('durable-');
  mkdirSync(folder);
  giveToServerUser(folder);
  const repository = await openTestStore(flavour.store);
  try {
    await using running = await startWay(task, { repository, folder });
    const { server } = running;
    await server.query('create table acked (n int primary key)');
    const [row] = await server.query<{ lsn: string }>('select pg_current_wal_lsn() as lsn');
    const first = segmentNumberAt(lsnOf(row?.lsn), SEGMENT_BYTES);
    await using watch = await watchArchive(repository, first);
    const commits = await commitNowAndThen(server);
    const waits = await waitsOf(commits, watch);
    const ms = spreadOf(waits);
    if (ms === undefined) throw new Error('nothing was committed');
    return { ...base, commits: waits.length, p95Ms: percentile(waits, 0.95), ms };
  } catch (error) {
    return { ...base, error: error instanceof Error ? error.message : String(error) };
  } finally {
    await repository[Symbol.asyncDispose]();
    const root = repository.env['WALG_FILE_PREFIX'] ?? folder;
    for (const path of [folder, root]) rmSync(path, { recursive: true, force: true });
  }
}

const SEGMENT_BYTES = 16 * 1024 ** 2;

interface RunningWay extends AsyncDisposable {
  readonly server: Server;
}

/** A server, and what brings its WAL into the repository. */
async function startWay(
  { flavour, version, width, way }: DurableTask,
  { repository, folder }: { readonly repository: TestStore; readonly folder: string },
): Promise<RunningWay> {
  const settings = { fsync: 'on', archive_timeout: `${ARCHIVE_TIMEOUT_S}s` };
  const dataDir = scratchPath('data');
  const site = { ...flavour, dataDir, repository, folder, width };
  const session = 'command' in way ? way.command.open(site) : undefined;
  const archiving =
    session === undefined ? {} : { archiveCommand: session.archiveCommand, env: session.env };
  await using stack = new AsyncDisposableStack();
  const server = stack.use(await startPostgres({ version, dataDir, settings, ...archiving }));
  const service = await startService(session?.service);
  if (service !== undefined) stack.use(service);
  if ('receiver' in way) {
    const { codec } = flavour;
    stack.use(startReceiver(way.receiver.command({ server, repository, codec, folder })));
    await eventually('a receiver to stream', async () => {
      const rows = await server.query("select from pg_stat_replication where state = 'streaming'");
      return rows.length > 0 ? true : undefined;
    });
  }
  const kept = stack.move();
  return { server, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

function startReceiver({ program, args, env }: Command): AsyncDisposable {
  const child = spawn(program, args, {
    cwd: '/',
    env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', HOME: '/nonexistent', ...env },
    stdio: 'ignore',
    ...serverUser(),
  });
  const exit = once(child, 'exit');
  exit.catch(() => undefined);
  return {
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
      await exit;
      clearTimeout(timer);
    },
  };
}

interface Commit {
  /** Its record ends before. */
  readonly lsn: Lsn;
  /** When the client was told, by `performance.now()`. */
  readonly ackedMs: number;
}

async function commitNowAndThen(server: Server): Promise<Commit[]> {
  const session = await server.client();
  const commits: Commit[] = [];
  const startMs = performance.now();
  while (performance.now() - startMs < LOAD_MS) {
    await session.query('insert into acked values ($1)', [commits.length]);
    const ackedMs = performance.now();
    const { rows } = await session.query<{ lsn: string }>(
      'select pg_current_wal_flush_lsn() as lsn',
    );
    commits.push({ lsn: lsnOf(rows[0]?.lsn), ackedMs });
    await sleep(EVERY_MS);
  }
  return commits;
}

/** How long each commit took to be durable, in milliseconds. Throws if one does not get there. */
async function waitsOf(commits: readonly Commit[], watch: ArchiveWatch): Promise<number[]> {
  const last = commits.at(-1)?.lsn ?? lsnOf('0/0');
  await eventually(
    'the last commit to be in the repository',
    async () => watch.reached(last),
    PATIENCE_MS,
  );
  return commits.map(({ lsn, ackedMs }) => Math.max(0, (watch.reached(lsn) ?? NaN) - ackedMs));
}

function lsnOf(text: string | undefined): Lsn {
  const lsn = parseLsn(text ?? '');
  if (lsn === undefined) throw new Error(`${text} is no LSN`);
  return lsn;
}
