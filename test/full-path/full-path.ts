/**
 * The whole path for one version and one kind of store: a live server that archives, a backup under
 * write load, and restores to every kind of target, each checked by queries on a started server.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  archiveEverything,
  connectionEnv,
  startArchivingServer,
} from '../support/archiving-server.ts';
import {
  clientTool,
  scratchPathForServerUser,
  serverUser,
  startFrom,
  type PostgresVersion,
  type Server,
} from '../support/postgres.ts';
import { openTestStore, type StoreKind, type TestStore } from '../support/store.ts';
import { installedTsbk, runTsbk } from '../support/tsbk.ts';
import { startWriteLoad } from '../support/write-load.ts';

/** Moments after the backup; row n of `steps` was committed before the n-th. */
interface Moments {
  readonly lsn: string;
  readonly time: string;
  readonly xid: string;
  readonly name: string;
}

export function describeFullPath(version: PostgresVersion, kind: StoreKind): void {
  describe(`PostgreSQL ${version} with a repository in ${kind === 's3' ? 'S3' : 'a directory'}`, () => {
    let store: TestStore;
    let primary: Server;
    let moments: Moments;
    let expectedRows: string;

    before(async () => {
      store = await openTestStore(kind);
      primary = await startArchivingServer(store, { version });
      await primary.query(SCHEMA);
      const load = startWriteLoad(primary);
      const backup = await runTsbk(['backup-push', '--json'], { env: env() });
      await load.stop();
      assert.equal(backup.code, 0, backup.stderr);
      moments = await takeSteps(primary);
      expectedRows = await fingerprint(primary);
      await archiveEverything(primary);
    });

    after(async () => {
      await primary?.close();
      await store?.[Symbol.asyncDispose]();
    });

    const env = (): Record<string, string> => ({ ...store.env, ...connectionEnv(primary) });

    /** Restores, verifies the files, starts a server, and gives the steps it has. */
    const restore = async (
      target: readonly string[],
      look: (server: Server) => Promise<void> = async () => {},
    ): Promise<number[]> => {
      const directory = scratchPathForServerUser('restored');
      const args = [directory, 'LATEST', ...target];
      const fetched = await runTsbk(['backup-fetch', ...args], { env: env() });
      assert.equal(fetched.code, 0, fetched.stderr);
      verifyFiles(directory, version);
      await using server = await startFrom(directory, {
        version,
        waitFor: 'end-of-recovery',
        env: { ...installedTsbk().env, ...store.env },
      });
      await readEverything(server);
      await look(server);
      const [row] = await server.query<{ steps: number[] | null }>(
        'select array_agg(n order by n) as steps from steps',
      );
      return row?.steps ?? [];
    };

    test('a restore to latest has every row', async () => {
      const steps = await restore([], async (server) => {
        assert.equal(await fingerprint(server), expectedRows);
      });
      assert.deepEqual(steps, [1, 2, 3, 4, 5]);
    });

    test('a restore to an LSN has what was committed before it', async () => {
      assert.deepEqual(await restore(['--target-lsn', moments.lsn]), [1]);
    });

    test('a restore to a time has what was committed before it', async () => {
      assert.deepEqual(await restore(['--target-time', moments.time]), [1, 2]);
    });

    test('a restore to a transaction has it, and excluding it has not', async () => {
      assert.deepEqual(await restore(['--target-xid', moments.xid]), [1, 2, 3]);
      assert.deepEqual(await restore(['--target-xid', moments.xid, '--target-exclusive']), [1, 2]);
    });

    test('a restore to a restore point has what was committed before it', async () => {
      assert.deepEqual(await restore(['--target-name', moments.name]), [1, 2, 3, 4]);
    });

    test('a restore to the point of consistency has no step', async () => {
      assert.deepEqual(await restore(['--target-immediate']), []);
    });

    test('a target after the end of the archive is refused before anything is written', async () => {
      const directory = scratchPathForServerUser('refused');
      const future = ['--target-time', '2099-01-01 00:00:00+00'];
      const refused = await runTsbk(['backup-fetch', directory, 'LATEST', ...future], {
        env: env(),
      });
      assert.equal(refused.code, 1, refused.stderr);
      assert.match(refused.stderr, /target-unreachable/);
      assert.equal(existsSync(directory), false);
    });
  });
}

const SCHEMA = `
  create extension amcheck;
  create table steps (n int primary key);
  create table facts (id int primary key, "größe" text, doc jsonb);
  insert into facts
    select g, 'Straße № ' || g || repeat(' 行', g % 5), jsonb_build_object('n', g, 'pad', repeat('z', g % 3000))
    from generate_series(1, 20000) g;
  create index on facts ("größe");`;

async function takeSteps(server: Server): Promise<Moments> {
  const value = async (sql: string): Promise<string> => {
    const [row] = await server.query<{ value: string }>(sql);
    return row?.value ?? '';
  };
  await server.query('insert into steps values (1)');
  const lsn = await value('select pg_current_wal_lsn()::text as value');
  await server.query('insert into steps values (2)');
  await sleep(20);
  const time = await value(
    "select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US+00') as value",
  );
  await sleep(20);
  const session = await server.client();
  await session.query('begin');
  await session.query('insert into steps values (3)');
  const { rows } = await session.query<{ value: string }>('select txid_current()::text as value');
  await session.query('commit');
  await server.query('insert into steps values (4)');
  await server.query("select pg_create_restore_point('after step 4')");
  await server.query('insert into steps values (5)');
  return { lsn, time, xid: rows[0]?.value ?? '', name: 'after step 4' };
}

async function fingerprint(server: Server): Promise<string> {
  const [row] = await server.query<{ value: string }>(`
    select (select count(*) || md5(string_agg(f::text, '' order by id)) from facts f)
        || (select count(*) || md5(string_agg(l::text, '' order by n)) from load l) as value`);
  return row?.value ?? '';
}

/** Reads every page of every relation, whose checksums the server verifies, and checks all B-trees. */
async function readEverything(server: Server): Promise<void> {
  const tables = await server.query<{ name: string }>(
    "select oid::regclass::text as name from pg_class where relkind in ('r', 't', 'm') and relpersistence = 'p'",
  );
  assert.ok(tables.length > 60);
  for (const { name } of tables) await server.query(`select count(*) from ${name}`);
  await server.query(`
    select bt_index_check(i.indexrelid, true) from pg_index i
      join pg_class c on c.oid = i.indexrelid join pg_am a on a.oid = c.relam
      where a.amname = 'btree' and c.relpersistence = 'p' and i.indisvalid`);
}

/** PostgreSQL's own verification, for the versions whose manifests the tool here knows. */
function verifyFiles(directory: string, version: PostgresVersion): void {
  assert.ok(existsSync(join(directory, 'backup_manifest')), 'a restore leaves a manifest');
  const tool = clientTool('pg_verifybackup');
  if (tool === undefined || version > 16) return;
  execFileSync(tool, ['--no-parse-wal', '--quiet', directory], { ...serverUser(), cwd: '/' });
}
