/**
 * Clusters of every shape that PostgreSQL allows, backed up and restored by the built commands. Each
 * restored server is asked for the rows.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { archiveEverything } from './support/archiving-server.ts';
import { openBackupSite, type BackupSite } from './support/backup-site.ts';
import { treeOf } from './support/file-tree.ts';
import {
  clientTool,
  giveToServerUser,
  scratchPath,
  scratchPathForServerUser,
  serverUser,
  type Server,
} from './support/postgres.ts';

const MIB = 1024 ** 2;

/** Names in a backup's tars, as its records have them. */
function namesIn(site: BackupSite, backup: string): readonly string[] {
  const path = join(site.root, 'basebackups_005', backup, 'files_metadata.json');
  const { Files: files } = JSON.parse(readFileSync(path, 'utf8')) as { Files: object };
  return Object.keys(files);
}

function recordOf(site: BackupSite, name: string): Record<string, unknown> {
  const path = join(site.root, 'basebackups_005', name);
  return JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
}

async function valueOf(server: Server, expression: string): Promise<string> {
  const [row] = await server.query<{ value: string }>(`select (${expression})::text as value`);
  return row?.value ?? '';
}

/** Rows of a table and a checksum of them. */
function sumOf(table: string): string {
  return `select count(*) || ' ' || coalesce(md5(string_agg(t::text, '|' order by t::text)), '') from ${table} t`;
}

/** A place for a tablespace, with everything in its name that a program may stumble over. */
function awkwardPlace(name: string): string {
  const place = join(scratchPath('space one=1'), name);
  mkdirSync(place, { recursive: true });
  giveToServerUser(place);
  return place;
}

function asMapping(path: string): string {
  return path.replaceAll('=', String.raw`\=`);
}

for (const version of [15, 18] as const) {
  describe(`two tablespaces of awkward paths on ${version}`, () => {
    const places = [awkwardPlace('a b=c'), awkwardPlace(String.raw`größe\n"quoted"`)];
    let site: BackupSite;
    const oids: string[] = [];

    before(async () => {
      site = await openBackupSite({
        version,
        // A role for replication alone, and one that may also look around.
        hba: ['local replication walker,looker trust', 'local postgres looker trust'],
      });
      const { server } = site;
      await server.query(
        'create role walker login replication; create role looker login replication',
      );
      for (const [index, place] of places.entries()) {
        await server.query(`create tablespace "sp ${index}" location '${place}'`);
        await server.query(
          `create table t${index} tablespace "sp ${index}" as select n, n * ${index + 1} as m from generate_series(1, 5000) n`,
        );
        oids.push(
          await valueOf(server, `select oid from pg_tablespace where spcname = 'sp ${index}'`),
        );
      }
    });
    after(async () => site.server.close());

    const role = version === 15 ? 'walker' : 'looker';

    it(`go where the mapping says, from a backup that ${role} took, no superuser`, async () => {
      const backup = await site.push([], { env: { PGUSER: role, PGDATABASE: 'postgres' } });
      const asked = role === 'looker' ? 'postgres' : '';
      assert.equal(backup.run.stderr.includes('no-sql-session'), asked === '');
      const targets = [0, 1].map((n) => `${scratchPathForServerUser('moved')} ${n}=\\x`);
      await using restored = await site.restore({
        args: [
          backup.name,
          `--tablespace-mapping=${asMapping(places[0] ?? '')}=${asMapping(targets[0] ?? '')}`,
          `--tablespace-mapping=${oids[1]}=${asMapping(targets[1] ?? '')}`,
        ],
      });
      for (const [index, oid] of oids.entries()) {
        const target = targets[index] ?? '';
        assert.equal(readlinkSync(join(restored.directory, 'pg_tblspc', oid)), target);
        assert.deepEqual(readdirSync(target).length, 1);
        assert.match(readdirSync(target)[0] ?? '', /^PG_\d+_/);
        const sum = sumOf(`t${index}`);
        assert.equal(await valueOf(restored.server, sum), await valueOf(site.server, sum));
        assert.equal(await valueOf(restored.server, `pg_tablespace_location(${oid})`), target);
      }
    });

    it('are not restored over themselves', async () => {
      const directory = scratchPathForServerUser('refused');
      const run = await site.tsbk(['backup-fetch', directory, 'LATEST']);
      assert.equal(run.code, 1);
      assert.match(run.stderr, /target-not-empty/);
      assert.equal(existsSync(directory), false);
      assert.equal(await valueOf(site.server, 'select count(*) from t0'), '5000');
    });

    it('are not restored by a mapping of a place that no tablespace had', async () => {
      const directory = scratchPathForServerUser('refused');
      const mapping = '--tablespace-mapping=/nowhere=/elsewhere';
      const run = await site.tsbk(['backup-fetch', directory, 'LATEST', mapping]);
      assert.equal(run.code, 2);
      assert.ok(
        places.every((place) => run.stderr.includes(place)),
        run.stderr,
      );
      assert.equal(existsSync(directory), false);
    });
  });
}

it('an empty cluster of 13 comes back as it was', async () => {
  await using site = await openBackupSite({ version: 13 });
  await site.push();
  await using restored = await site.restore();
  const everything = `select string_agg(relname || relkind::text || relnatts, ',' order by oid) from pg_class`;
  assert.equal(await valueOf(restored.server, everything), await valueOf(site.server, everything));
  const databases = `select string_agg(datname, ',' order by oid) from pg_database`;
  assert.equal(await valueOf(restored.server, databases), await valueOf(site.server, databases));
});

for (const [version, walSegmentMb] of [
  [15, 1],
  [13, 64],
] as const) {
  it(`a cluster of ${version} with WAL segments of ${walSegmentMb} MB is restored to the end of its WAL`, async () => {
    await using site = await openBackupSite({ version, walSegmentMb });
    await site.server.query('create table t as select generate_series(1, 1000) as n');
    const { name, startLsn } = await site.push();
    // Name and position tell the size of a segment.
    const [high = '', low = ''] = startLsn.split('/');
    const segment = Number.parseInt(low, 16) / (walSegmentMb * MIB);
    const hex = (number: number): string => number.toString(16).toUpperCase().padStart(8, '0');
    assert.equal(name, `base_00000001${high.padStart(8, '0')}${hex(Math.floor(segment))}`);
    // More than a small segment holds.
    await site.server.query(`insert into t select generate_series(1001, 50000)`);
    await archiveEverything(site.server);
    await using restored = await site.restore();
    assert.equal(
      await valueOf(restored.server, sumOf('t')),
      await valueOf(site.server, sumOf('t')),
    );
    assert.equal(
      await valueOf(restored.server, `current_setting('wal_segment_size')`),
      `${walSegmentMb}MB`,
    );
  });
}

it('a cluster that its group may read keeps its modes', async () => {
  await using site = await openBackupSite({ version: 16, groupAccess: true });
  await site.server.query('create table t as select generate_series(1, 1000) as n');
  await site.push();
  await using restored = await site.restore({
    inspect: async (directory) => {
      assert.equal(statSync(directory).mode & 0o7777, 0o750);
      // What tsbk leaves in `pg_wal` is for the server alone: no backup reads it there.
      const entries = treeOf(directory).filter(({ path }) => !path.startsWith('pg_wal/tsbk_'));
      const wrong = entries.filter(
        ({ kind, mode }) => mode !== (kind === 'folder' ? 0o750 : 0o640),
      );
      assert.deepEqual(wrong, []);
    },
  });
  assert.equal(await valueOf(restored.server, `current_setting('data_directory_mode')`), '0750');
  assert.equal(await valueOf(restored.server, sumOf('t')), await valueOf(site.server, sumOf('t')));
});

describe('a cluster of 14 with foreign files in its directory', () => {
  const raw = Buffer.from([0x72, 0xe9, 0xff, 0x0a, 0x20, 0xc3, 0x28]).toString('latin1');
  const FILES: Readonly<Record<string, string>> = {
    [raw]: 'a name that is no UTF-8',
    [`${Buffer.from('größe/').toString('latin1')}${raw}`]: 'below a folder',
    [Buffer.from('größe/行 №').toString('latin1')]: 'UTF-8',
    [String.raw`back\slash "quoted" ' $x`]: '',
    ['n'.repeat(90)]: 'as long as a tar header takes',
  };
  const bytes = (path: string): Buffer => Buffer.from(path, 'latin1');
  let site: BackupSite;

  before(async () => {
    site = await openBackupSite({ version: 14 });
    const { server } = site;
    await server.query('create database "dåtabase 行"');
    await server.query(`create table "größe „x“" ("naïve" text)`);
    await server.query(
      `insert into "größe „x“" select 'Straße № ' || n from generate_series(1, 500) n`,
    );
    const at = (path: string): Buffer => Buffer.concat([bytes(`${server.dataDir}/`), bytes(path)]);
    mkdirSync(at(Buffer.from('größe').toString('latin1')));
    mkdirSync(at('empty folder'), { mode: 0o750 });
    for (const [path, content] of Object.entries(FILES)) {
      writeFileSync(at(path), content, { mode: 0o640 });
    }
    giveToServerUser(server.dataDir);
    // The server says that it leaves this one out.
    symlinkSync('/etc/hostname', at('link'));
  });
  after(async () => site.server.close());

  it('gets them back, names and bytes and modes', async () => {
    const { run } = await site.push();
    assert.match(run.stderr, /file-skipped/);
    assert.match(run.stderr, /name-not-utf8/);
    await using restored = await site.restore({
      inspect: async (directory) => {
        const tree = new Map(treeOf(directory).map((entry) => [entry.path, entry]));
        for (const [path, content] of Object.entries(FILES)) {
          const entry = tree.get(path);
          assert.ok(entry !== undefined, JSON.stringify(path));
          assert.equal(entry.mode, 0o640);
          const file = Buffer.concat([bytes(`${directory}/`), bytes(path)]);
          assert.equal(readFileSync(file, 'utf8'), content);
        }
        assert.equal(tree.get('empty folder')?.kind, 'folder');
        assert.ok([...tree.values()].every(({ kind }) => kind !== 'link'));
        const tool = clientTool('pg_verifybackup');
        const asServer = { ...serverUser(), cwd: '/' };
        if (tool !== undefined) execFileSync(tool, ['--no-parse-wal', '-q', directory], asServer);
      },
    });
    assert.equal(
      await valueOf(restored.server, `select count(*) || max("naïve") from "größe „x“"`),
      '500Straße № 99',
    );
    const other = await restored.server.client({ database: 'dåtabase 行' });
    await other.end();
  });
});

it('unlogged tables of 18 come back empty, temporary ones not at all, tablespaces in place as they were', async () => {
  await using site = await openBackupSite({ version: 18 });
  const { server } = site;
  await server.query('create unlogged table u (n int primary key)');
  await server.query('insert into u select generate_series(1, 1000)');
  await server.query('set allow_in_place_tablespaces = on');
  await server.query("create tablespace inside location ''");
  await server.query('create table t tablespace inside as select generate_series(1, 1000) as n');
  const other = await server.client();
  await other.query('create temporary table passing as select generate_series(1, 1000) as n');
  await server.query('checkpoint');
  const unlogged = await valueOf(server, `pg_relation_filepath('u')`);
  const temporary =
    (await other.query<{ path: string }>("select pg_relation_filepath('passing') as path")).rows[0]
      ?.path ?? '';
  assert.ok(
    existsSync(join(server.dataDir, unlogged)) && existsSync(join(server.dataDir, temporary)),
  );

  const { name } = await site.push();
  const names = namesIn(site, name);
  assert.deepEqual(
    names.filter((path) => path.startsWith(`/${unlogged}`)),
    [`/${unlogged}_init`],
  );
  assert.deepEqual(
    names.filter((path) => /\/t\d+_\d+/.test(path)),
    [],
  );
  // Without it recovery refuses to go on, and says so.
  await using restored = await site.restore({
    start: { settings: { allow_in_place_tablespaces: 'on' } },
  });
  assert.equal(await valueOf(restored.server, 'select count(*) from u'), '0');
  assert.equal(await valueOf(restored.server, sumOf('t')), await valueOf(server, sumOf('t')));
});

describe('a small cluster of 17', () => {
  let site: BackupSite;
  before(async () => {
    site = await openBackupSite({ version: 17 });
    await site.server.query(
      "create table t as select n, repeat('x', n % 500) from generate_series(1, 20000) n",
    );
  });
  after(async () => site.server.close());

  const sameRows = async (server: Server): Promise<void> =>
    assert.equal(await valueOf(server, sumOf('t')), await valueOf(site.server, sumOf('t')));

  for (const [codec, extension] of [
    ['lz4', '.tar.lz4'],
    ['zstd', '.tar.zst'],
    ['brotli', '.tar.br'],
    ['none', '.tar'],
  ] as const) {
    it(`is compressed by ${codec} and restored, whatever the settings say then`, async () => {
      const backup = await site.push(['--compression-method', codec]);
      const tars = readdirSync(join(site.root, 'basebackups_005', backup.name, 'tar_partitions'));
      assert.deepEqual(
        tars.filter((tar) => !/^\w+\.tar(\.\w+)?$/.test(tar) || !tar.endsWith(extension)),
        [],
      );
      assert.equal(backup.storedBytes < backup.plainBytes * 0.5, codec !== 'none');
      await using restored = await site.restore({ args: [backup.name, '--target-immediate'] });
      await sameRows(restored.server);
    });
  }

  it('goes into many parts when they must be small', async () => {
    const backup = await site.push([], { env: { TSBK_TAR_SIZE_THRESHOLD: '1MiB' } });
    assert.ok(backup.parts >= 15, `${backup.parts} parts`);
    const tars = readdirSync(join(site.root, 'basebackups_005', backup.name, 'tar_partitions'));
    assert.equal(tars.length, backup.parts + 2);
    await using restored = await site.restore({ args: [backup.name, '--target-immediate'] });
    await sameRows(restored.server);
  });

  it('carries the label, the flag and the data that were given', async () => {
    const label = `it's «nightly» "one"`;
    const data = '{"reason":"upgrade","n":18446744073709551615,"<&>":[null]}';
    const { name } = await site.push([
      '--permanent',
      `--label=${label}`,
      `--add-user-data=${data}`,
    ]);
    const raw = readFileSync(join(site.root, 'basebackups_005', name, 'metadata.json'), 'utf8');
    // Too large for a number of JavaScript.
    assert.ok(raw.includes('18446744073709551615'));
    assert.equal(recordOf(site, `${name}/metadata.json`)['is_permanent'], true);
    const sentinel = recordOf(site, `${name}_backup_stop_sentinel.json`);
    assert.deepEqual(sentinel['UserData'], JSON.parse(data));
    assert.equal(sentinel['IsPermanent'], true);
    const directory = scratchPathForServerUser('restored');
    const { code, stderr } = await site.tsbk(['backup-fetch', directory, name]);
    assert.equal(code, 0, stderr);
    const text = readFileSync(join(directory, 'backup_label'), 'utf8');
    assert.ok(text.includes(`\nLABEL: ${label}\n`), text);
  });

  it('with 2,000 tables in it comes back with every one', async () => {
    const { server } = site;
    await server.query(`
      create function total() returns text language plpgsql as $$
      declare name text; n bigint; tables int := 0; sum bigint := 0;
      begin
        for name in select relname from pg_class where relname like 'many%' loop
          execute format('select n from %I', name) into strict n;
          tables := tables + 1;
          sum := sum + n;
        end loop;
        return tables || ' ' || sum;
      end $$`);
    await server.query(`
      do $$ begin
        for i in 1..2000 loop
          execute format('create table many%s as select %s as n', i, i);
          if i % 200 = 0 then commit; end if;
        end loop;
      end $$`);
    assert.equal(await valueOf(server, 'total()'), '2000 2001000');
    const { files } = await site.push();
    assert.ok(files > 2900, `${files} files`);
    await using restored = await site.restore();
    assert.equal(await valueOf(restored.server, 'total()'), '2000 2001000');
  });
});

it('an encrypted cluster of 15 is restored with the key, and nothing of it lies open', async () => {
  const key = 'correct horse battery staple, 25+';
  await using site = await openBackupSite({
    version: 15,
    tsbkEnv: { WALG_LIBSODIUM_KEY: key, WALG_COMPRESSION_METHOD: 'none' },
  });
  await site.server.query(
    "create table t as select 'canary in the mine' as s from generate_series(1, 1000)",
  );
  const { name } = await site.push();
  for (const { path, kind } of treeOf(site.root)) {
    if (kind !== 'file') continue;
    const content = readFileSync(join(site.root, path));
    assert.equal(content.includes('canary in the mine') || content.includes(key), false, path);
  }
  const wrong = scratchPathForServerUser('refused');
  const run = await site.tsbk(['backup-fetch', wrong, name], {
    env: { WALG_LIBSODIUM_KEY: `_${key.slice(1)}` },
  });
  assert.equal(run.code, 1);
  assert.match(run.stderr, /\[wrong-key\]/);
  assert.equal(existsSync(wrong), false);
  await using restored = await site.restore();
  assert.equal(await valueOf(restored.server, sumOf('t')), await valueOf(site.server, sumOf('t')));
});
