/** `tsbk backup-push PGDATA`: what it leaves out, what it refuses, and what ends it half-way. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { archiveEverything } from './support/archiving-server.ts';
import { openBackupSite, siteOf, type BackupSite } from './support/backup-site.ts';
import { eventually } from './support/eventually.ts';
import { giveToServerUser, startStandby, type Server } from './support/postgres.ts';
import type { TsbkRun } from './support/tsbk.ts';

const PLAIN = { WALG_COMPRESSION_METHOD: 'none' };
/** Slow enough for something to happen while files are read. */
const SLOWLY = { TSBK_DISK_RATE_LIMIT: '6MiB' };

async function valueOf(server: Server, expression: string): Promise<string> {
  const [row] = await server.query<{ value: string }>(`select (${expression})::text as value`);
  return row?.value ?? '';
}

/** Names of a backup's members, and sizes by its manifest. */
function contentOf(site: BackupSite, backup: string) {
  const read = (name: string): unknown =>
    JSON.parse(readFileSync(join(site.root, 'basebackups_005', backup, name), 'utf8'));
  const { Files: named } = read('files_metadata.json') as { Files: object };
  const { Files: listed } = read('backup_manifest') as {
    Files: { Path?: string; 'Encoded-Path'?: string; Size: number }[];
  };
  const sizes = listed.map((file) => {
    const path = file.Path ?? file['Encoded-Path'] ?? '';
    return `${path} ${path === 'backup_label' ? '' : file.Size}`;
  });
  return { names: Object.keys(named).sort(), sizes: sizes.sort() };
}

/** What a run that failed must leave: nothing that a restore or a list would see, and no session. */
async function assertNothingLeft(site: BackupSite): Promise<void> {
  assert.deepEqual(await site.list(), []);
  assert.equal(existsSync(join(site.root, 'basebackups_005')), false);
  await eventually('the sessions of tsbk ending', async () => {
    const count = await valueOf(
      site.server,
      `select count(*) from pg_stat_activity where application_name like 'tsbk%'`,
    );
    return count === '0' ? true : undefined;
  });
}

/** Runs a slow backup and does something once it copies. */
async function pushWhile(
  site: BackupSite,
  act: (pid: number) => Promise<void> | void,
): Promise<TsbkRun> {
  let pid = 0;
  let acted: Promise<void> | undefined;
  const run = await site.tsbk(['backup-push', site.server.dataDir], {
    env: SLOWLY,
    onStart: (started) => {
      pid = started;
    },
    onStderr: (text) => {
      if (text.includes('copying')) acted ??= sleep(300).then(() => act(pid));
    },
  });
  assert.ok(acted !== undefined, run.stderr);
  await acted;
  return run;
}

for (const version of [13, 18] as const) {
  it(`the directory of ${version} gives what its server would send`, async () => {
    await using site = await openBackupSite({ version, tsbkEnv: PLAIN });
    const { server } = site;
    const at = (path: string): string => join(server.dataDir, path);
    const raw = Buffer.concat([Buffer.from(at('')), Buffer.from([0x2f, 0x72, 0xe9, 0xff])]);
    mkdirSync(at('größe/pg_notify'), { recursive: true });
    mkdirSync(at('base/pgsql_tmp'));
    const stale = ['backup_label.old', 'postgresql.auto.conf.tmp', 'pgsql_tmp1.2', 'core.17'];
    const foreign = [...stale, 'größe/x', 'größe/pg_notify/x', 'base/pgsql_tmp/x', 'base/x'];
    for (const path of foreign) writeFileSync(at(path), 'some text');
    writeFileSync(raw, 'a name that is no UTF-8');
    symlinkSync('/etc/hostname', at('link'));
    execFileSync('mkfifo', [at('pipe')]);
    execFileSync('cp', ['-r', at('pg_subtrans'), at('pg_subtrans2')]);
    giveToServerUser(server.dataDir);
    await server.query('create unlogged table u (n int primary key)');
    await server.query('insert into u select generate_series(1, 1000)');
    if (version >= 15) {
      await server.query('set allow_in_place_tablespaces = on');
      await server.query("create tablespace inside location ''");
      await server.query('create table i tablespace inside as select generate_series(1, 9) as n');
    }
    const other = await server.client();
    await other.query('create temporary table passing as select generate_series(1, 1000) as n');
    await server.query('vacuum');
    await server.query('checkpoint');
    const streamed = await site.push();
    const read = await site.push([server.dataDir]);
    assert.deepEqual(contentOf(site, read.name), contentOf(site, streamed.name));
    for (const said of [/link .*not backed up/, /pipe .*not backed up/, /name-not-utf8/]) {
      assert.match(read.run.stderr, said);
    }
  });
}

describe('a cluster of 16', () => {
  let site: BackupSite;
  before(async () => {
    site = await openBackupSite({ version: 16, hba: ['local all all trust'] });
    await site.server.query(
      "create table t as select n, repeat('x', 500) as pad from generate_series(1, 20000) n",
    );
    await site.server.query('create role reader login');
    await site.server.query('checkpoint');
  });
  after(async () => site.server.close());

  it('whose role may not begin a backup is told which rights it needs', async () => {
    const env = { PGUSER: 'reader', PGDATABASE: 'postgres' };
    const run = await site.tsbk(['backup-push', site.server.dataDir], { env });
    assert.equal(run.code, 1, run.stderr);
    assert.match(run.stderr, /\[server-denied\]/);
    assert.match(run.stderr, /GRANT EXECUTE ON FUNCTION pg_backup_start\(text, boolean\)/);
    await assertNothingLeft(site);
  });

  it('is not backed up from another directory', async () => {
    for (const [path, said] of [
      ['/nowhere', /there is no directory/],
      ['/tmp', /the server's data directory is .*, not \/tmp/],
    ] as const) {
      const run = await site.tsbk(['backup-push', path]);
      assert.equal(run.code, 2, run.stderr);
      assert.match(run.stderr, said);
    }
    await assertNothingLeft(site);
  });

  it('whose session is ended loses the backup', async () => {
    const run = await pushWhile(site, async () => {
      await site.server.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'tsbk%'",
      );
    });
    assert.equal(run.code, 75, run.stderr);
    assert.match(run.stderr, /\[connection-lost\]/);
    await assertNothingLeft(site);
  });

  it('stops its backup when tsbk is interrupted', async () => {
    const run = await pushWhile(site, (pid) => void process.kill(pid, 'SIGTERM'));
    assert.equal(run.code, 143, run.stderr);
    await assertNothingLeft(site);
  });

  it('with damaged pages fails and names each, and is backed up when told not to verify', async () => {
    const file = await valueOf(site.server, "pg_relation_filepath('t')");
    const fd = openSync(join(site.server.dataDir, file), 'r+');
    for (const block of [2, 700]) writeSync(fd, 'damage', block * 8192 + 4000);
    closeSync(fd);
    const run = await site.tsbk(['backup-push', site.server.dataDir]);
    assert.equal(run.code, 1, run.stderr);
    assert.match(run.stderr, /\[page-checksum\]/);
    assert.ok(run.stderr.includes(`2 pages have wrong checksums: ${file}, blocks 2, 700`));
    await assertNothingLeft(site);
    // A role with these two rights is enough.
    await site.server.query(
      'grant execute on function pg_backup_start(text, boolean), pg_backup_stop(boolean) to reader',
    );
    const env = { PGUSER: 'reader', PGDATABASE: 'postgres' };
    await site.push([site.server.dataDir, '--no-verify'], { env });
  });
});

describe('a standby of 15', () => {
  let primary: BackupSite;
  let standby: BackupSite;
  before(async () => {
    primary = await openBackupSite({ version: 15 });
    await primary.server.query('create table t as select generate_series(1, 1000) as n');
    const server = await startStandby(primary.server);
    standby = siteOf(server, { WALG_FILE_PREFIX: primary.root });
  });
  after(async () => {
    await standby.server.close();
    await primary.server.close();
  });

  it('is not backed up from the directory of its primary, nor the reverse', async () => {
    for (const [site, other] of [
      [standby, primary],
      [primary, standby],
    ] as const) {
      const run = await site.tsbk(['backup-push', other.server.dataDir]);
      assert.equal(run.code, 2, run.stderr);
      assert.match(run.stderr, /the server's data directory is/);
    }
  });

  it('gives a backup while its primary works', async () => {
    let running = true;
    const busy = (async () => {
      while (running) {
        await primary.server.query("select pg_logical_emit_message(false, 'tsbk', 'x')");
        await primary.server.query('select pg_switch_wal()');
        await sleep(1000);
      }
    })();
    const { name } = await standby.push([standby.server.dataDir]);
    running = false;
    await busy;
    // The end of a backup is found by a record after it.
    await archiveEverything(primary.server);
    await using restored = await standby.restore({ args: [name, '--target-immediate'] });
    assert.equal(await valueOf(restored.server, 'select count(*) from t'), '1000');
  });

  it('that is promoted meanwhile gives none', async () => {
    await primary.server.query('checkpoint');
    const lsn = await valueOf(primary.server, 'pg_current_wal_lsn()');
    await eventually('the standby replaying', async () => {
      const at = await valueOf(standby.server, `pg_last_wal_replay_lsn() >= '${lsn}'`);
      return at === 'true' ? true : undefined;
    });
    await standby.server.query('checkpoint');
    const before = await standby.list();
    const run = await pushWhile(standby, async () => {
      await standby.server.query('select pg_promote()');
    });
    assert.equal(run.code, 1, run.stderr);
    assert.match(run.stderr, /\[server-promoted\]/);
    assert.deepEqual(await standby.list(), before);
  });
});
