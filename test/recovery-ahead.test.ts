/**
 * Recoveries of real servers whose segments are fetched ahead: nothing is missing at the end, and
 * what becomes of the process that fetches them is no part of any answer.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadRunSettings } from '@tsbk/core/engine/load-run-settings';
import { openRepository } from '@tsbk/core/engine/open-repository';
import { archiveEverything } from './support/archiving-server.ts';
import { eventually } from './support/eventually.ts';
import { askFor, askingCluster, type AskingCluster } from './support/get-answers.ts';
import { openModelStore } from './support/model-store.ts';
import {
  giveToServerUser,
  scratchPath,
  startFrom,
  startPostgres,
  type PostgresVersion,
  type Server,
  type StartFromOptions,
} from './support/postgres.ts';
import { copyCluster } from './support/postgres/cluster.ts';
import { hotCopy } from './support/postgres/hot-copy.ts';
import { untilGone } from './support/process-tree.ts';
import { sameBytes } from './support/same-bytes.ts';
import { installedTsbk, runCommand, type TsbkRun } from './support/tsbk.ts';
import { serverFolder } from './support/wal-commands.ts';
import { segmentContent, segmentName, writeWalFile } from './support/wal-file.ts';

const SEGMENTS = 16;
const DEPTH = 3;

/** An archive with many small segments, a row in each, and a copy from before the first row. */
class Site {
  readonly version: PostgresVersion;
  /** Folder of the archive in which the segments lie, uncompressed. */
  readonly wal: string;
  /** Names of the segments with the rows. */
  readonly segments: readonly string[];
  readonly #copy: string;

  private constructor(
    version: PostgresVersion,
    wal: string,
    { copy, segments }: { readonly copy: string; readonly segments: readonly string[] },
  ) {
    this.version = version;
    this.wal = wal;
    this.segments = segments;
    this.#copy = copy;
  }

  static async open(version: PostgresVersion): Promise<Site> {
    const wal = join(scratchPath('repository'), 'wal_005');
    mkdirSync(wal, { recursive: true });
    giveToServerUser(dirname(wal));
    const archiveCommand = archiveInto(wal);
    await using primary = await startPostgres({ version, walSegmentMb: 1, archiveCommand });
    await primary.query('create table rows (n int)');
    const copy = await hotCopy(primary, 'copy');
    return new Site(version, wal, { copy, segments: await write(primary, 1, SEGMENTS) });
  }

  /** By which the commands find the archive. */
  get env(): Readonly<Record<string, string>> {
    return { WALG_FILE_PREFIX: dirname(this.wal) };
  }

  get middle(): string {
    return this.segments[SEGMENTS >> 1] ?? assert.fail();
  }

  start(
    options: Partial<StartFromOptions> & { readonly directory?: string } = {},
  ): Promise<Server> {
    const { env, settings, directory = this.directory(), ...more } = options;
    const installed = installedTsbk();
    return startFrom(directory, {
      version: this.version,
      waitFor: 'end-of-recovery',
      ...more,
      env: { ...installed.env, TSBK_GET_AHEAD: String(DEPTH), ...(env ?? this.env) },
      settings: { restore_command: `${installed.archiveGet} %f %p`, ...settings },
    });
  }

  directory(): string {
    const directory = scratchPath('recovery');
    copyCluster(this.#copy, directory);
    writeFileSync(join(directory, 'recovery.signal'), '');
    giveToServerUser(directory);
    return directory;
  }
}

/** Uncompressed, as tsbk reads it, and without the time that many starts of a command take. */
function archiveInto(wal: string): string {
  return `cp %p ${wal}/%f.part && mv ${wal}/%f.part ${wal}/%f`;
}

/** Rows `from` to `to`, and a segment full of WAL for each. */
async function write(server: Server, from: number, to: number): Promise<string[]> {
  const names: string[] = [];
  for (let n = from; n <= to; n += 1) {
    await server.query('insert into rows values ($1)', [n]);
    const [row] = await server.query<{ name: string }>(
      `select pg_walfile_name(pg_logical_emit_message(false, 'x', repeat(md5($1), 20000))) as name`,
      [String(n)],
    );
    names.push(row?.name ?? '');
    await server.query('select pg_switch_wal()');
  }
  await archiveEverything(server);
  return names;
}

async function mustHaveRows(server: Server, rows = SEGMENTS): Promise<void> {
  const [found] = await server.query('select count(*)::int as count, max(n) as last from rows');
  assert.deepEqual(found, { count: rows, last: rows });
}

/** What lies in the rings of a server. */
function inRings(directory: string): string[] {
  const ahead = join(directory, 'pg_stat_tmp/tsbk/ahead');
  const rings = existsSync(ahead) ? readdirSync(ahead, { withFileTypes: true }) : [];
  return rings
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name }) => (existsSync(join(ahead, name)) ? readdirSync(join(ahead, name)) : []));
}

/** Process that fetches ahead for a server, by the mark it left. */
function prefetcherOf(directory: string): number | undefined {
  const ahead = join(directory, 'pg_stat_tmp/tsbk/ahead');
  for (const name of existsSync(ahead) ? readdirSync(ahead) : []) {
    try {
      const mark = JSON.parse(readFileSync(join(ahead, name, 'prefetcher'), 'utf8')) as {
        readonly pid: number;
      };
      return mark.pid;
    } catch {
      // It has ended, or has not begun.
    }
  }
  return undefined;
}

/** Looks at something again and again until the recovery is over. */
async function meanwhile(recovery: Promise<Server>, look: () => void): Promise<Server> {
  let over = false;
  const ended = recovery.finally(() => (over = true));
  ended.catch(() => undefined);
  while (!over) {
    look();
    await sleep(3);
  }
  return await ended;
}

describe('recovery with segments that are fetched ahead', { concurrency: 1 }, () => {
  let site: Site;

  for (const version of [13, 18] as const) {
    it(`of PostgreSQL ${version} has every row, by a ring that keeps to its bound and is empty then`, async () => {
      site = await Site.open(version);
      const directory = site.directory();
      let most = 0;
      const pids = new Set<number>();
      await using server = await meanwhile(site.start({ directory }), () => {
        const segments = inRings(directory).filter((name) => /^[0-9A-F]{24}$/.test(name));
        most = Math.max(most, segments.length);
        const pid = prefetcherOf(directory);
        if (pid !== undefined) pids.add(pid);
      });
      await mustHaveRows(server);
      assert.ok(most > 0 && most <= DEPTH, `${most} segments`);
      assert.ok(pids.size > 0, 'nobody fetched ahead');
      for (const pid of pids) await untilGone(pid);
      assert.deepEqual(inRings(directory), ['wanted']);
      assert.doesNotMatch(readFileSync(server.logFile, 'utf8'), /tsbk-archive-get: /);
    });
  }

  it('has every row when the process that fetches ahead is killed again and again', async () => {
    const directory = site.directory();
    const killed = new Set<number>();
    await using server = await meanwhile(site.start({ directory }), () => {
      const pid = prefetcherOf(directory);
      if (pid === undefined || killed.has(pid) || inRings(directory).length < 3) return;
      process.kill(pid, 'SIGKILL');
      killed.add(pid);
    });
    assert.ok(killed.size > 1, `${killed.size} processes`);
    await mustHaveRows(server);
  });

  it('waits out an outage in the middle, and has every row', async () => {
    await using store = await openModelStore();
    const bucket = store.model.state.buckets.values().next().value ?? assert.fail();
    await copyInto(store.env, site.wal);
    assert.ok(bucket.objects.size > SEGMENTS);
    const fault = { kind: 'status', status: 503, code: 'ServiceUnavailable' } as const;
    store.model.addRule({ key: new RegExp(site.middle), times: 1e9, fault });
    const env = { ...store.env, TSBK_GET_PATIENCE: '60s' };
    const directory = site.directory();
    const recovery = site.start({ directory, env });
    recovery.catch(() => undefined);
    // The ring is empty when recovery has come to it.
    const asks = (): boolean =>
      store.model.requests.filter(({ key }) => key.includes(site.middle)).length > 1;
    await eventually('the outage', async () => (asks() ? true : undefined));
    store.recover();
    await using server = await recovery;
    await mustHaveRows(server);
  });

  it('stops at damage in the middle, and goes on to the end when it is mended', async () => {
    const directory = site.directory();
    const path = join(site.wal, site.middle);
    const whole = readFileSync(path);
    writeFileSync(path, whole.subarray(0, whole.length - 1));
    await assert.rejects(async () => {
      await using server = await site.start({ directory, keep: true });
      assert.fail(`the server opened: ${server.logFile}`);
    }, /could not restore file .* child process exited with exit code 200/);
    writeFileSync(path, whole);
    await using server = await site.start({ directory });
    await mustHaveRows(server);
  });

  it('moves segments from a ring on another file system', async (t) => {
    await using other = await smallDisk('32m');
    if (other === undefined) return t.skip('a tmpfs cannot be mounted here');
    const env = { ...site.env, TSBK_STATE_DIRECTORY: other.path };
    await using server = await site.start({ env });
    await mustHaveRows(server);
    assert.match(readFileSync(join(other.path, 'ahead/asked'), 'utf8'), /^[0-9a-f]+ copy\n/);
  });

  // The last one: it archives a second timeline.
  it('follows a timeline switch, to the last row of the new one', async () => {
    {
      const archiving = { archive_mode: 'on', archive_command: archiveInto(site.wal) };
      await using promoted = await site.start({ settings: archiving });
      const names = await write(promoted, SEGMENTS + 1, SEGMENTS + 6);
      assert.match(names[0] ?? '', /^00000002/);
    }
    await using server = await site.start();
    await mustHaveRows(server, SEGMENTS + 6);
  });
});

describe('one call of a server that recovers', () => {
  const [first, second] = [segmentName(1), segmentName(2)];

  /** A data directory as it is during recovery; the postmaster is this process. */
  function recovering(): AskingCluster {
    const at = askingCluster();
    const pidFile = `${process.pid}\n${at.directory}\n1795800000\n`;
    writeFileSync(join(at.directory, 'postmaster.pid'), pidFile);
    giveToServerUser(at.directory);
    return at;
  }

  function archive(): Readonly<Record<string, string>> {
    const root = serverFolder('repository');
    mkdirSync(join(root, 'wal_005'));
    for (const name of [first, second]) {
      writeWalFile(join(root, 'wal_005'), name, segmentContent(name));
    }
    giveToServerUser(root);
    return { WALG_FILE_PREFIX: root };
  }

  it('has the next segment fetched by a process that ends when recovery is over', async () => {
    const at = recovering();
    const env = archive();
    assert.equal((await askFor(first, at, env)).code, 0);
    const look = async (): Promise<true | undefined> =>
      inRings(at.directory).includes(second) ? true : undefined;
    await eventually('the next segment', look);
    const pid = prefetcherOf(at.directory) ?? assert.fail();
    rmSync(join(at.directory, 'recovery.signal'));
    await untilGone(pid);
    assert.deepEqual(inRings(at.directory), ['wanted']);
  });

  it('has the next one handed over without Node.js, by either command', async () => {
    const { cli, archiveGet } = installedTsbk();
    for (const command of [[archiveGet], [cli, 'archive-get'], [cli, 'wal-fetch']]) {
      const at = recovering();
      const env = archive();
      const ask = async (name: string, more = {}): Promise<TsbkRun> => {
        const [program, ...args] = [...command, name, at.destination];
        return await runCommand(program, args, { cwd: at.directory, env: { ...env, ...more } });
      };
      assert.equal((await ask(first)).code, 0);
      rmSync(join(at.directory, at.destination));
      await eventually('the next segment', async () =>
        inRings(at.directory).includes(second) ? true : undefined,
      );
      const noNode = { TSBK_NODE: '/no/such/node' };
      assert.equal((await ask(second, noNode)).code, 0);
      sameBytes(readFileSync(join(at.directory, at.destination)), segmentContent(second));
      assert.equal((await ask(second, noNode)).code, 200);
    }
  });

  it('has none fetched with TSBK_GET_AHEAD=0, nor where no server runs', async () => {
    const at = recovering();
    assert.equal((await askFor(first, at, { ...archive(), TSBK_GET_AHEAD: '0' })).code, 0);
    assert.ok(!existsSync(join(at.directory, 'pg_stat_tmp')));
    const nobody = askingCluster();
    assert.equal((await askFor(first, nobody, archive())).code, 0);
    assert.ok(!existsSync(join(nobody.directory, 'pg_stat_tmp')));
  });

  it('is answered without a place for the ring, with one warning', async () => {
    const file = scratchPath('file');
    writeFileSync(file, '');
    const run = await askFor(first, recovering(), { ...archive(), TSBK_STATE_DIRECTORY: file });
    assert.equal(run.code, 0);
    assert.match(run.stderr, /^tsbk-archive-get: warning: nothing is fetched ahead: .*\n$/);
  });

  it('is answered without room for the ring', async (t) => {
    await using small = await smallDisk('2m');
    if (small === undefined) return t.skip('a tmpfs cannot be mounted here');
    const env = { ...archive(), TSBK_STATE_DIRECTORY: small.path };
    const run = await askFor(first, recovering(), env);
    assert.deepEqual([run.code, run.stderr], [0, '']);
    const [ring = ''] = readdirSync(join(small.path, 'ahead')).filter((name) => name !== 'asked');
    assert.deepEqual(readdirSync(join(small.path, 'ahead', ring)), ['wanted']);
  });
});

/** A file system of its own; `undefined` where none can be mounted. */
async function smallDisk(
  size: string,
): Promise<({ readonly path: string } & AsyncDisposable) | undefined> {
  const path = scratchPath('disk');
  mkdirSync(path);
  const options = ['-t', 'tmpfs', '-o', `size=${size},mode=700`, 'none', path];
  if (spawnSync('mount', options).status !== 0) return undefined;
  giveToServerUser(path);
  // A process that fetches ahead may not have noticed yet that nobody asks any more.
  const unmount = async (): Promise<true | undefined> =>
    spawnSync('umount', [path]).status === 0 ? true : undefined;
  return { path, [Symbol.asyncDispose]: async () => void (await eventually('umount', unmount)) };
}

/** Puts the files of a folder into the WAL folder of a repository. */
async function copyInto(env: Readonly<Record<string, string>>, wal: string): Promise<void> {
  const { signal } = new AbortController();
  const settings = await loadRunSettings({ env, flags: {}, command: 'archive-get' });
  const options = { signal, report: () => {}, retryBudgetMs: 0 };
  await using repository = await openRepository(settings, options);
  for (const name of readdirSync(wal)) {
    await repository.store.put(`wal_005/${name}`, readFileSync(join(wal, name)), { signal });
  }
}
