/** `backup-fetch --restore-only`: single databases and tables out of real backups. */
import assert from 'node:assert/strict';
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { archiveEverything } from './support/archiving-server.ts';
import { openBackupSite, type BackupSite } from './support/backup-site.ts';
import { scratchPathForServerUser, startFrom, type Server } from './support/postgres.ts';
import { installedTsbk } from './support/tsbk.ts';
import { runWalg, walgLacks } from './support/walg.ts';

/** Tables that are large enough to have more than one page, TOAST, an index and a sequence. */
const TABLES = `
  create table kept (id serial primary key, body text, at int);
  alter table kept alter body set storage external;
  insert into kept (body, at) select repeat(md5(n::text), 200), n from generate_series(1, 300) n;
  create table dropped (id int primary key, body text);
  alter table dropped alter body set storage external;
  insert into dropped select n, repeat(md5(n::text), 200) from generate_series(1, 300) n;
  create table parts (n int) partition by range (n);
  create table parts_low partition of parts for values from (0) to (100);
  create table parts_high partition of parts for values from (100) to (1000);
  insert into parts select n from generate_series(1, 500) n;
  vacuum full pg_class`;

/** Rows of a table, read in full. */
async function rowsOf(server: Server, database: string, table: string): Promise<string> {
  const client = await server.client({ database });
  const { rows } = await client.query<{ value: string }>(
    `select count(*) || md5(string_agg(r::text, '|' order by r::text)) as value from ${table} r`,
  );
  await client.end();
  return rows[0]?.value ?? '';
}

async function run(server: Server, database: string, sql: string): Promise<void> {
  const client = await server.client({ database });
  for (const statement of sql.split(';')) await client.query(statement);
  await client.end();
}

async function pathOf(server: Server, database: string, table: string): Promise<string> {
  const client = await server.client({ database });
  const { rows } = await client.query<{ path: string }>(
    'select pg_relation_filepath($1::regclass) as path',
    [table],
  );
  await client.end();
  return rows[0]?.path ?? '';
}

describe('a partial restore', () => {
  let site: BackupSite;
  let rows: Readonly<Record<'kept' | 'parts', string>>;

  before(async () => {
    site = await openBackupSite({ version: 17, tsbkEnv: { TSBK_TAR_SIZE_THRESHOLD: '1MiB' } });
    await fill(site);
    await site.push([site.server.dataDir]);
    // From here on a chain, with changes in what is wanted and what is not.
    const change =
      'update kept set at = 0 where id % 50 = 0; update dropped set id = -id where id < 3';
    for (const database of ['an app', 'other', 'whole']) await run(site.server, database, change);
    const delta = { env: { TSBK_DELTA_MAX_STEPS: '2' } };
    const { name } = await site.push([site.server.dataDir], delta);
    assert.match(name, /_D_/);
    rows = await goOn(site);
  });

  after(async () => await site?.[Symbol.asyncDispose]());

  test('brings back tables with all that belongs to them, and whole databases, and nothing of others', async () => {
    const [dropped, other] = [
      await pathOf(site.server, 'an app', 'dropped'),
      await pathOf(site.server, 'other', 'kept'),
    ];
    await using restored = await site.restore({
      args: ['LATEST', '--restore-only', '"an app"/kept,an app/public/parts,whol*'],
      inspect: async (directory) => {
        for (const path of [dropped, other, 'backup_manifest']) {
          assert.equal(existsSync(join(directory, path)), false, path);
        }
        const written = readFileSync(join(directory, 'postgresql.auto.conf'), 'utf8');
        assert.match(written, /^ignore_invalid_pages = 'on'$/m);
      },
    });
    assert.match(restored.run.stderr, /only some tables of an app, whole and the system databases/);
    const { server } = restored;
    await requireKept(server, rows.kept);
    assert.equal(await rowsOf(server, 'an app', 'parts'), rows.parts);
    await run(server, 'whole', 'select sum(id) from dropped; reindex table kept');
    // What WAL-G says one should do.
    await run(server, 'an app', 'drop table dropped');
    await server.query('drop database other');
  });

  test('fetches no object without need', async () => {
    const plan = async (...args: string[]): Promise<RestorePlanJson> => {
      const destination = scratchPathForServerUser('planned');
      const fetch = ['backup-fetch', destination, 'LATEST', '--plan', '--json', ...args];
      const planned = await site.tsbk(fetch);
      assert.equal(planned.code, 0, planned.stderr);
      return JSON.parse(planned.stdout) as RestorePlanJson;
    };
    const [all, some] = [await plan(), await plan('--restore-only', 'an app/kept')];
    assert.ok(some.objects.length < all.objects.length);
    assert.ok(some.fetchBytes < all.fetchBytes);
    // How long the files of a chain are, no record says of a part of them.
    assert.equal(some.writeBytes, null);
    assert.ok(some.warnings.some(({ code }) => code === 'partial'));
  });

  test('is refused for names that the backup does not have, naming those near to them', async () => {
    const destination = scratchPathForServerUser('refused');
    const cases = {
      'an ap': /has no an ap \[usage\]\n.*near it are: an app/is,
      'an app/kep': /has no an app\/kep \[usage\]\n.*an app\/public\.kept/s,
      'an app/a.b.c': /cannot understand "an app\/a\.b\.c"/,
    };
    for (const [only, message] of Object.entries(cases)) {
      const fetch = ['backup-fetch', destination, 'LATEST', '--restore-only', only];
      const refused = await site.tsbk(fetch);
      assert.equal(refused.code, 2, refused.stderr);
      assert.match(refused.stderr, message);
      assert.equal(existsSync(destination), false);
    }
  });

  test('is refused of a backup that was told not to ask for names', async () => {
    const pushed = await site.push([site.server.dataDir], {
      env: { WALG_DISABLE_PARTIAL_RESTORE: 'true' },
    });
    const destination = scratchPathForServerUser('refused');
    const fetch = ['backup-fetch', destination, pushed.name, '--restore-only', 'an app'];
    const refused = await site.tsbk(fetch);
    assert.equal(refused.code, 2, refused.stderr);
    assert.match(refused.stderr, /does not record how its tables are called/);
  });
});

test('a partial restore of a backup that PostgreSQL 13 streamed brings back a table', async () => {
  await using site = await openBackupSite({ version: 13 });
  await fill(site);
  const { run: pushed } = await site.push();
  assert.doesNotMatch(pushed.stderr, /did not say how/);
  const rows = await goOn(site);
  await using restored = await site.restore({ args: ['LATEST', '--restore-only', 'an app/kept'] });
  await requireKept(restored.server, rows.kept);
});

describe('a partial restore', { skip: walgLacks() }, () => {
  test('by wal-g of a backup of tsbk brings back a table with what belongs to it', async () => {
    await using site = await openBackupSite({ version: 17 });
    await fill(site);
    await site.push([site.server.dataDir]);
    const rows = await goOn(site);
    const directory = scratchPathForServerUser('walg');
    await walg(site, ['backup-fetch', directory, 'LATEST', '--restore-only', 'an app/kept']);
    const dropped = await pathOf(site.server, 'an app', 'dropped');
    assert.equal(existsSync(join(directory, dropped)), false);
    // wal-g leaves it to the operator to say how to recover.
    const { archiveGet, env } = installedTsbk();
    writeFileSync(join(directory, 'recovery.signal'), '');
    const settings = `restore_command = '${archiveGet} %f %p'\nignore_invalid_pages = on\n`;
    appendFileSync(join(directory, 'postgresql.auto.conf'), settings);
    await using server = await startFrom(directory, {
      version: 17,
      waitFor: 'end-of-recovery',
      env: { ...env, WALG_FILE_PREFIX: site.root },
    });
    await requireKept(server, rows.kept);
  });

  test('by tsbk of a backup of wal-g brings back a table with its TOAST', async () => {
    await using site = await openBackupSite({ version: 17 });
    await fill(site);
    await walg(site, ['backup-push', site.server.dataDir]);
    const rows = await goOn(site);
    // Of indexes and sequences wal-g does not record what they belong to.
    await using restored = await site.restore({
      args: ['LATEST', '--restore-only', 'an app/kept,an app/kept_*,an app/parts'],
    });
    await requireKept(restored.server, rows.kept);
    assert.equal(await rowsOf(restored.server, 'an app', 'parts'), rows.parts);
  });
});

interface RestorePlanJson {
  readonly objects: readonly unknown[];
  readonly fetchBytes: number;
  readonly writeBytes: number | null;
  readonly warnings: readonly { readonly code: string }[];
}

async function fill({ server }: BackupSite): Promise<void> {
  await server.query('create database "an app"');
  await server.query('create database other');
  await server.query('create database whole');
  for (const database of ['an app', 'other', 'whole']) await run(server, database, TABLES);
}

/** WAL after the backup that touches files which a partial restore leaves out. */
async function goOn({ server }: BackupSite): Promise<Record<'kept' | 'parts', string>> {
  await run(
    server,
    'an app',
    `insert into kept (body, at) values (1, 1); delete from dropped where id < 9; vacuum dropped;
     checkpoint; update dropped set body = id; vacuum`,
  );
  await run(server, 'other', 'delete from kept where id < 9; vacuum kept; vacuum full dropped');
  await archiveEverything(server);
  return {
    kept: await rowsOf(server, 'an app', 'kept'),
    parts: await rowsOf(server, 'an app', 'parts'),
  };
}

async function requireKept(server: Server, rows: string): Promise<void> {
  assert.equal(await rowsOf(server, 'an app', 'kept'), rows);
  const uses = 'set enable_seqscan = off; select body from kept where id = 7';
  await run(server, 'an app', `${uses}; select nextval('kept_id_seq')`);
}

async function walg(site: BackupSite, args: readonly string[]): Promise<void> {
  const done = await runWalg(args, { env: site.env });
  assert.equal(done.code, 0, done.stderr);
}
