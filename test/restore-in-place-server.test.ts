/** A data directory that has gone on is brought back to a backup: by the built command, on real servers. */
import assert from 'node:assert/strict';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readSync,
  statSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { serverLockHolder } from '@tsbk/core/cluster/server-lock';
import { manifestHolds } from './chains/manifest-holds.ts';
import { archiveEverything } from './support/archiving-server.ts';
import { openBackupSite, type BackupSite } from './support/backup-site.ts';
import { changeEverything, createChanging, sumOfEverything } from './support/change-everything.ts';
import { eventually } from './support/eventually.ts';
import { contentOfTree } from './support/file-tree.ts';
import {
  giveToServerUser,
  scratchPathForServerUser,
  startFrom,
  type PostgresVersion,
  type Server,
} from './support/postgres.ts';
import { installedTsbk, type TsbkOptions } from './support/tsbk.ts';

interface Restored {
  readonly bytes: number;
  readonly fetchedBytes: number;
  readonly inPlace: {
    readonly kept: { readonly files: number; readonly bytes: number };
    readonly removed: { readonly files: number };
    readonly sparedBytes: number;
  } | null;
}

/** What a restore in place must leave: every file of it by its SHA-256. */
type Content = Readonly<Record<string, string>>;

async function restored(
  site: BackupSite,
  args: readonly string[],
  options: TsbkOptions = {},
): Promise<Restored> {
  const run = await site.tsbk(['backup-fetch', '--json', ...args], options);
  assert.equal(run.code, 0, run.stderr.slice(-3000));
  return JSON.parse(run.stdout) as Restored;
}

function start(site: BackupSite, directory: string): Promise<Server> {
  return startFrom(directory, {
    version: site.server.version,
    waitFor: 'end-of-recovery',
    keep: true,
    env: { ...installedTsbk().env, ...site.env },
  });
}

/** Compares without printing a thousand lines. */
function sameContent(found: Content, expected: Content): void {
  const paths = new Set([...Object.keys(found), ...Object.keys(expected)]);
  const different = [...paths].filter((path) => found[path] !== expected[path]);
  assert.deepEqual(different, []);
  assert.ok(paths.size > 500);
}

/** Has the machine end tsbk when it says that it does this. */
async function killedWhile(site: BackupSite, args: readonly string[], what: string) {
  let pid = 0;
  const run = await site.tsbk(['backup-fetch', ...args], {
    onStart: (started) => (pid = started),
    onStderr: (text) => {
      if (text.includes(what)) process.kill(pid, 'SIGKILL');
    },
  });
  assert.equal(run.signal, 'SIGKILL', run.stderr);
}

/** Changes a bit in the middle of a file, and nothing that a listing shows. */
function damage(path: string): void {
  const { size, atime, mtime } = statSync(path);
  const byte = Buffer.alloc(1);
  const fd = openSync(path, 'r+');
  readSync(fd, byte, 0, 1, size >> 1);
  byte[0] = (byte[0] ?? 0) ^ 1;
  writeSync(fd, byte, 0, 1, size >> 1);
  closeSync(fd);
  utimesSync(path, atime, mtime);
}

/** What a server and its administrator do to a restored directory, up to a crash. */
async function goOn(site: BackupSite, directory: string): Promise<void> {
  await using server = await start(site, directory);
  await changeEverything(server, 2);
  await server.query('create table later as select generate_series(1, 1000) n');
  await server.stop('kill');
  await untilGone(directory);
}

/** The same, with a directory of its own, and a restore that is tried while the server runs. */
async function goFurther(site: BackupSite, directory: string): Promise<void> {
  await using server = await start(site, directory);
  await changeEverything(server, 2);
  await server.query('create database another');
  const run = await site.tsbk(['backup-fetch', directory, 'LATEST', '--delta']);
  assert.notEqual(run.code, 0);
  assert.match(run.stderr, /is in use: process \d+ runs there/);
  const [session] = await server.query<{ pid: number }>('select pg_backend_pid() as pid');
  await orphaned(site, { server, directory, pid: session?.pid ?? 0 });
}

/** Kills a postmaster while one of its processes cannot notice, and tries the restore beside that. */
async function orphaned(
  site: BackupSite,
  at: { readonly server: Server; readonly directory: string; readonly pid: number },
): Promise<void> {
  process.kill(at.pid, 'SIGSTOP');
  try {
    process.kill(at.server.pid, 'SIGKILL');
    const run = await site.tsbk(['backup-fetch', at.directory, 'LATEST', '--delta']);
    if (existsSync('/proc/sysvipc/shm')) assert.match(run.stderr, /is gone, but \d+ of its server/);
  } finally {
    process.kill(at.pid, 'SIGCONT');
  }
  await at.server.stop('kill');
  await untilGone(at.directory);
}

/** Waits until the processes of a killed postmaster have noticed. */
async function untilGone(directory: string): Promise<void> {
  await eventually('the end of the server', async () =>
    (await serverLockHolder(directory)) === undefined ? true : undefined,
  );
}

function openSite(version: PostgresVersion): Promise<BackupSite> {
  return openBackupSite({
    version,
    settings: { autovacuum: 'off' },
    tsbkEnv: { TSBK_LANES: '2', WALG_TAR_SIZE_THRESHOLD: '1MiB' },
  });
}

/** Takes a backup, of which it gives the name and what is in the tables. */
async function backUp(site: BackupSite, deltas: number) {
  const env = { TSBK_DELTA_MAX_STEPS: String(deltas), TSBK_DELTA_FALLBACK: 'fail' };
  const { name } = await site.push([], { env });
  return { name, sums: await sumOfEverything(site.server) };
}

describe('a data directory', () => {
  it('of PostgreSQL 17 is brought back to a delta, with a crash of tsbk in the middle', async () => {
    await using site = await openSite(17);
    await createChanging(site.server);
    await backUp(site, 0);
    await changeEverything(site.server, 1);
    const { name, sums } = await backUp(site, 1);
    assert.match(name, /_D_/);
    await archiveEverything(site.server);
    const directory = scratchPathForServerUser('in-place');
    const fresh = await restored(site, [directory, name, '--target-immediate']);
    const content = await contentOfTree(directory);
    await goFurther(site, directory);

    // A file that no server has touched is not what it was, and there are some that nobody knows.
    damage(join(directory, 'base/1/1255'));
    mkdirSync(join(directory, 'base/1/junk/below'), { recursive: true });
    writeFileSync(join(directory, 'base/1/junk/below/file'), 'not a relation');
    writeFileSync(join(directory, 'base/1/77777'), Buffer.alloc(8192, 1));
    giveToServerUser(directory);

    const args = [directory, name, '--target-immediate', '--delta'];
    const before = await contentOfTree(directory);
    const planned = await site.tsbk(['backup-fetch', ...args, '--plan']);
    assert.equal(planned.code, 0, planned.stderr);
    assert.match(planned.stdout, /^keep +\d{3,} files/m);
    sameContent(await contentOfTree(directory), before);
    await killedWhile(site, args, 'restoring base_');
    assert.equal(existsSync(join(directory, 'global/pg_control')), false);
    assert.equal(existsSync(join(directory, 'base/1/77777')), false);
    const again = await site.tsbk(['backup-fetch', directory, name]);
    assert.match(again.stderr, /holds a restore that was interrupted/);

    const { fetchedBytes, inPlace } = await restored(site, args);
    sameContent(await contentOfTree(directory), content);
    await manifestHolds(directory);
    assert.ok(fetchedBytes < fresh.fetchedBytes);
    assert.ok((inPlace?.kept.files ?? 0) > 500);
    await using back = await start(site, directory);
    assert.equal(await sumOfEverything(back), sums);
  });

  it('of PostgreSQL 13 is brought back to a full backup', async () => {
    await using site = await openSite(13);
    await createChanging(site.server);
    const { name, sums } = await backUp(site, 0);
    await archiveEverything(site.server);
    const directory = scratchPathForServerUser('in-place');
    const args = [directory, name, '--target-immediate'];
    const fresh = await restored(site, args);
    const content = await contentOfTree(directory);
    await goOn(site, directory);
    const { fetchedBytes, inPlace } = await restored(site, [...args, '--delta']);
    sameContent(await contentOfTree(directory), content);
    assert.ok(fetchedBytes < fresh.fetchedBytes);
    assert.ok((inPlace?.sparedBytes ?? 0) > 0);
    await using back = await start(site, directory);
    assert.equal(await sumOfEverything(back), sums);
  });
});
