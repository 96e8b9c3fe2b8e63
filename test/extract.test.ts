/** `tsbk extract`: tables, schemas and databases of the past, by a server and pg_dump of their own. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { archiveEverything } from './support/archiving-server.ts';
import { openBackupSite, type BackupSite } from './support/backup-site.ts';
import {
  clientTool,
  giveToServerUser,
  scratchPath,
  scratchPathForServerUser,
  serverUser,
  type Server,
} from './support/postgres.ts';
import { eventually } from './support/eventually.ts';
import { installedTsbk, type TsbkRun } from './support/tsbk.ts';

/** There are no client programs of the other versions here, and pg_dump must be of the backup's. */
const PG_DUMP = clientTool('pg_dump');
const BIN = PG_DUMP === undefined ? '' : dirname(PG_DUMP);
const SKIP =
  (PG_DUMP === undefined || !BIN.includes('/15/') || !existsSync(join(BIN, 'postgres'))) &&
  'no postgres and pg_dump of 15 are installed';

const LONG = process.env['TSBK_TEST_LONG'] === undefined && 'TSBK_TEST_LONG is not set';

describe('extract', { skip: SKIP }, () => {
  let site: BackupSite;
  let scratch: string;
  /** A moment at which everything was there. */
  let lsn: string;
  let rows: Readonly<Record<'late' | 'renamed' | 'swapped' | 'parts' | 'orders', string>>;

  before(async () => {
    site = await openBackupSite({ version: 15 });
    scratch = scratchPath('extractions');
    mkdirSync(scratch, { mode: 0o700 });
    giveToServerUser(scratch);
    const { server } = site;
    await server.query('create database shop');
    await server.query('create database big');
    await run(
      server,
      'big',
      'create table ballast as select repeat(md5(n::text), 99) b from generate_series(1, 9999) n',
    );
    await run(server, 'shop', SHOP);
    await site.push([server.dataDir]);
    await run(server, 'shop', LATER);
    const names = ['late', 'renamed', 'swapped', 'parts', 'sales."or.ders"'] as const;
    const found = await Promise.all(names.map((name) => rowsOf(server, 'shop', name)));
    const [late = '', renamed = '', swapped = '', parts = '', orders = ''] = found;
    rows = { late, renamed, swapped, parts, orders };
    const [now] = await server.query<{ lsn: string }>('select pg_current_wal_lsn() as lsn');
    lsn = now?.lsn ?? '';
    await run(server, 'shop', `drop table ${names.join(', ')}; drop table third`);
    await archiveEverything(server);
  });

  after(async () => await site?.[Symbol.asyncDispose]());

  /** Runs it, and makes sure that it left nothing behind. */
  async function extract(...args: readonly string[]): Promise<TsbkRun> {
    const done = await site.tsbk(['extract', '--target-lsn', lsn, ...args], {
      env: { TSBK_PG_BIN_DIRECTORY: BIN, TMPDIR: scratch },
    });
    assert.deepEqual(readdirSync(scratch), []);
    return done;
  }

  async function extracted(
    ...args: readonly string[]
  ): Promise<{ readonly scope: string; readonly out: string }> {
    const out = scratchOut();
    const done = await extract('--json', '--out', out, ...args);
    assert.equal(done.code, 0, done.stderr);
    const { scope } = JSON.parse(done.stdout) as { scope: string };
    return { scope, out };
  }

  /** Puts a dump into a database of its own. */
  async function load(dump: string, database: string): Promise<void> {
    await site.server.query(`create database ${database}`);
    await run(site.server, database, 'create schema sales');
    const where = ['--host', site.server.socketDir, '--port', String(site.server.port)];
    const how = ['--username', 'postgres', '--dbname', database, '--exit-on-error'];
    execFileSync(join(BIN, 'pg_restore'), [...where, ...how, dump], { ...serverUser(), cwd: '/' });
  }

  test('brings back tables that were dropped, as they were, from their files alone', async () => {
    const { scope, out } = await extracted(
      '--table=shop.sales."or.ders"',
      '--table=shop.public.parts',
    );
    assert.equal(scope, 'relations');
    await load(out, 'back');
    assert.equal(await rowsOf(site.server, 'back', 'sales."or.ders"'), rows.orders);
    assert.equal(await rowsOf(site.server, 'back', 'parts'), rows.parts);
    await run(site.server, 'back', `select nextval('sales."or.ders_id_seq"')`);
  });

  test(
    'brings back a table that was made after the backup, and one that had another name then',
    { skip: LONG },
    async () => {
      const { scope, out } = await extracted(
        '--table=shop.public.late',
        '--table=shop.public.renamed',
      );
      assert.equal(scope, 'databases');
      await load(out, 'back_late');
      assert.equal(await rowsOf(site.server, 'back_late', 'late'), rows.late);
      assert.equal(await rowsOf(site.server, 'back_late', 'renamed'), rows.renamed);
      const unknown = await extract('--table', 'shop.public.lat', '--out', scratchOut());
      assert.equal(unknown.code, 1, unknown.stderr);
      assert.match(
        unknown.stderr,
        /no table public\.lat in shop \[object-unknown\]\n.*public\.late/,
      );
    },
  );

  test('takes more of the cluster when a name led to another table than it does now', async () => {
    const done = await extract('--json', '--table', 'shop.public.swapped', '--out', scratchOut());
    assert.equal(done.code, 0, done.stderr);
    assert.match(done.stderr, /scope-too-narrow/);
    const { scope, dumps } = JSON.parse(done.stdout) as Answer;
    assert.equal(scope, 'databases');
    await load(dumps[0]?.path ?? '', 'back_swapped');
    assert.equal(await rowsOf(site.server, 'back_swapped', 'swapped'), rows.swapped);
  });

  test('is refused without the right programs, and never replaces a file', async () => {
    const out = scratchOut();
    writeFileSync(out, 'mine');
    const taken = await extract('--database', 'shop', '--out', out);
    assert.match(taken.stderr, /exists \[target-not-empty\]/);
    assert.equal(readFileSync(out, 'utf8'), 'mine');
    const foreign = ['--pg-bin-directory', '/usr/bin', '--database', 'shop', '--out', `${out}2`];
    const without = await extract(...foreign);
    assert.match(without.stderr, /no postgres and pg_dump of PostgreSQL 15 in \/usr\/bin/);
    assert.equal(existsSync(`${out}2`), false);
  });

  test('removes everything when it is stopped while the server recovers', async () => {
    let stop: (() => void) | undefined;
    const out = scratchOut();
    const done = await site.tsbk(['extract', '--database', 'shop', '--out', out], {
      env: { TSBK_PG_BIN_DIRECTORY: BIN, TMPDIR: scratch },
      onStart: (pid) => {
        stop = () => process.kill(pid, 'SIGTERM');
      },
      onStderr: (text) => {
        if (text.includes('recovering on')) stop?.();
      },
    });
    assert.equal(done.code, 143, done.stderr);
    assert.equal(existsSync(out), false);
    assert.deepEqual(readdirSync(scratch), []);
  });

  test('leaves no server behind when it is killed', { skip: LONG }, async () => {
    let kill: (() => void) | undefined;
    await site.tsbk(['extract', '--database', 'shop', '--out', scratchOut()], {
      env: { TSBK_PG_BIN_DIRECTORY: BIN, TMPDIR: scratch },
      onStart: (pid) => {
        kill = () => process.kill(pid, 'SIGKILL');
      },
      onStderr: (text) => {
        if (text.includes('recovering on')) setTimeout(() => kill?.(), 500);
      },
    });
    await eventually('the end of the server', async () =>
      serversIn(scratch).length === 0 ? true : undefined,
    );
    for (const left of readdirSync(scratch)) rmSync(join(scratch, left), { recursive: true });
  });

  const notRoot = process.getuid?.() !== 0 && 'only root can run programs as somebody else';
  test('runs server and pg_dump as the user that root names', { skip: LONG || notRoot }, () => {
    const { cli, env } = installedTsbk();
    const out = scratchOut();
    const wanted = ['--table', 'shop.public.parts', '--target-lsn', lsn, '--out', out];
    const options = {
      env: { ...env, ...site.env, TSBK_PG_BIN_DIRECTORY: BIN, TMPDIR: scratch },
      cwd: '/',
    };
    const refused = spawnSync(cli, ['extract', ...wanted], options);
    assert.match(refused.stderr.toString(), /does not run as root \[usage\]\n.*--run-as/);
    const done = spawnSync(cli, ['extract', '--run-as', 'postgres', ...wanted], options);
    assert.equal(done.status, 0, done.stderr.toString());
    assert.equal(readFileSync(out).subarray(0, 5).toString(), 'PGDMP');
    assert.deepEqual(readdirSync(scratch), []);
  });

  test('is refused when recovery would make a tablespace where the server has it', async () => {
    const place = scratchPath('tablespace');
    mkdirSync(place);
    giveToServerUser(place);
    await site.server.query(`create tablespace outside location '${place}'`);
    await archiveEverything(site.server);
    const out = scratchOut();
    const done = await site.tsbk(['extract', '--database', 'shop', '--out', out], {
      env: { TSBK_PG_BIN_DIRECTORY: BIN, TMPDIR: scratch },
    });
    assert.equal(done.code, 1, done.stderr);
    assert.ok(done.stderr.includes(`a tablespace was made at ${place}`), done.stderr);
    await site.server.query('drop tablespace outside');
  });
});

interface Answer {
  readonly scope: string;
  readonly dumps: readonly { readonly path: string }[];
}

const SHOP = `
  create schema sales;
  create table sales."or.ders" (id serial primary key, body text unique);
  insert into sales."or.ders" (body)
    select repeat(md5(n::text), 80) || n from generate_series(1, 300) n;
  create table parts (n int primary key) partition by range (n);
  create table parts_low partition of parts for values from (0) to (100);
  create table parts_high partition of parts for values from (100) to (1000);
  insert into parts select n from generate_series(1, 500) n;
  create table first_name as select n from generate_series(1, 70) n;
  create table swapped as select 'the first' as name;
  create table second as select n::text as name from generate_series(1, 5000) n`;

/** Changes after the backup: of rows, of files, of names. */
const LATER = `
  update sales."or.ders" set body = body || id where id % 3 = 0;
  vacuum full sales."or.ders";
  create table late as select n from generate_series(1, 50) n;
  alter table first_name rename to renamed;
  alter table swapped rename to third;
  alter table second rename to swapped;
  delete from swapped where name < '20';
  update third set name = 'x'`;

/** Processes whose arguments name the directory. */
function serversIn(directory: string): readonly string[] {
  const list = execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' }).split('\n');
  return list.filter((line) => line.includes(`postgres -D ${directory}`));
}

function scratchOut(): string {
  return scratchPathForServerUser('out');
}

async function run(server: Server, database: string, sql: string): Promise<void> {
  const client = await server.client({ database });
  for (const statement of sql.split(';')) await client.query(statement);
  await client.end();
}

/** Rows of a table, read in full. */
async function rowsOf(server: Server, database: string, table: string): Promise<string> {
  const client = await server.client({ database });
  const { rows } = await client.query<{ value: string }>(
    `select count(*) || md5(string_agg(r::text, '|' order by r::text)) as value from ${table} r`,
  );
  await client.end();
  return rows[0]?.value ?? '';
}
