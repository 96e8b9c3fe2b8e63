/**
 * `tsbk extract` on servers of other versions, from S3 and encrypted. There is one real pg_dump on a machine, and
 * it must be of the backup's version: here a script stands in for it that prints a sum over the rows.
 */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { archiveEverything, startArchivingServer } from './support/archiving-server.ts';
import { siteOf, type BackupSite } from './support/backup-site.ts';
import {
  clientTool,
  giveToServerUser,
  scratchPath,
  scratchPathForServerUser,
  serverProgram,
  type PostgresVersion,
  type Server,
} from './support/postgres.ts';
import { openTestStore, type TestStore } from './support/store.ts';

const PSQL = clientTool('psql');
const LONG = process.env['TSBK_TEST_LONG'] === undefined && 'TSBK_TEST_LONG is not set';
const SKIP = PSQL === undefined && 'no psql is installed';
/** A key for tests. It protects nothing. */
const SODIUM = {
  WALG_LIBSODIUM_KEY: `${'00'.repeat(31)}2c`,
  WALG_LIBSODIUM_KEY_TRANSFORM: 'hex',
};
const DELTAS = { TSBK_DELTA_MAX_STEPS: '3', TSBK_DELTA_FALLBACK: 'fail' };

const SUM = `select count(*) || ' ' || md5(string_agg(t::text, '|' order by t::text)) as sum from`;

/** With `postgres` of this version and what prints sums of the tables that it is asked for. */
function programsOf(version: PostgresVersion): string {
  const directory = scratchPath(`bin-${version}`);
  mkdirSync(directory);
  symlinkSync(serverProgram(version, 'postgres'), join(directory, 'postgres'));
  const script = `#!/bin/sh
if [ "$1" = --version ]; then echo 'pg_dump (PostgreSQL) ${version}.0'; exit; fi
for argument; do
  case $argument in
    --table=*) "${PSQL}" -XAt -v ON_ERROR_STOP=1 -c "${SUM} \${argument#--table=} t" || exit ;;
  esac
done
`;
  writeFileSync(join(directory, 'pg_dump'), script, { mode: 0o755 });
  giveToServerUser(directory);
  return directory;
}

interface Scene extends AsyncDisposable {
  readonly site: BackupSite;
  readonly store: TestStore;
}

async function openScene(version: PostgresVersion): Promise<Scene> {
  const store = await openTestStore('s3');
  const settings = { ...store.env, ...SODIUM, ...DELTAS };
  const server = await startArchivingServer({ env: settings }, { version });
  return {
    site: siteOf(server, settings),
    store,
    [Symbol.asyncDispose]: async () => {
      await server.close();
      await store[Symbol.asyncDispose]();
    },
  };
}

async function run(server: Server, sql: readonly string[]): Promise<void> {
  const client = await server.client({ database: 'shop' });
  for (const statement of sql) await client.query(statement);
  await client.end();
}

async function sumsOf(server: Server, tables: readonly string[]): Promise<string[]> {
  const client = await server.client({ database: 'shop' });
  const sums: string[] = [];
  for (const table of tables) {
    const { rows } = await client.query<{ sum: string }>(`${SUM} ${table} t`);
    sums.push(rows[0]?.sum ?? '');
  }
  await client.end();
  return sums;
}

/** With what is stored out of line, a sequence, an index, and partitions. */
const BEFORE = [
  'create table orders (id serial primary key, body text)',
  `insert into orders (body) select repeat(md5(n::text), 80) || n from generate_series(1, 300) n`,
  'create table parts (n int primary key) partition by range (n)',
  'create table parts_low partition of parts for values from (0) to (100)',
  'create table parts_high partition of parts for values from (100) to (1000)',
  'insert into parts select n from generate_series(1, 500) n',
  `create table ballast as select repeat(md5(n::text), 99) b from generate_series(1, 2000) n`,
];
const MEANWHILE = ['delete from orders where id % 5 = 0', 'delete from parts where n > 450'];
const AFTER = [`update orders set body = body || id where id % 3 = 0`, 'vacuum full orders'];
const TABLES = ['orders', 'parts'];
/** Of a partitioned table all of them are dumped. */
const DUMPED = ['orders', 'parts', 'parts_low', 'parts_high'];

describe('extract', { skip: SKIP }, () => {
  for (const [version, skip] of [
    [13, LONG],
    [16, LONG],
    [18, false],
  ] as const) {
    it(
      `brings back tables of PostgreSQL ${version} from a delta on S3, encrypted`,
      { skip },
      async () => {
        await using scene = await openScene(version);
        const { site } = scene;
        const { server } = site;
        await server.query('create database shop');
        await run(server, BEFORE);
        await site.push([server.dataDir]);
        await run(server, MEANWHILE);
        const { delta } = await site.push();
        assert.equal(delta?.count, 1);
        await run(server, AFTER);
        const expected = await sumsOf(server, DUMPED);
        const [now] = await server.query<{ lsn: string }>('select pg_current_wal_lsn() as lsn');
        await run(server, ['drop table orders, parts']);
        await archiveEverything(server);

        const scratch = scratchPath('extractions');
        mkdirSync(scratch, { mode: 0o700 });
        giveToServerUser(scratch);
        const out = scratchPathForServerUser('out');
        const wanted = TABLES.map((table) => `--table=shop.public.${table}`);
        const how = ['--json', '--format', 'plain', '--out', out];
        const done = await site.tsbk(
          ['extract', '--target-lsn', now?.lsn ?? '', ...how, ...wanted],
          {
            env: { TSBK_PG_BIN_DIRECTORY: programsOf(version), TMPDIR: scratch },
          },
        );
        assert.equal(done.code, 0, done.stderr);
        assert.equal((JSON.parse(done.stdout) as { scope: string }).scope, 'relations');
        const found = readFileSync(out, 'utf8').trimEnd().split('\n');
        assert.deepEqual(found.toSorted(), expected.toSorted());
        assert.deepEqual(readdirSync(scratch), []);
        rmSync(out);
      },
    );
  }
});
