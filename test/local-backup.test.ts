/** Backups of a data directory that tsbk reads itself, `tsbk backup-push PGDATA`, on live servers. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { archiveEverything } from './support/archiving-server.ts';
import { openBackupSite, siteOf, type BackupSite } from './support/backup-site.ts';
import {
  clientTool,
  giveToServerUser,
  POSTGRES_VERSIONS,
  scratchPath,
  scratchPathForServerUser,
  serverUser,
  type PostgresVersion,
  type Server,
} from './support/postgres.ts';
import { runWalg, startByWalg, WALG } from './support/walg.ts';
import { startWriteLoad } from './support/write-load.ts';

async function valueOf(server: Server, expression: string): Promise<string> {
  const [row] = await server.query<{ value: string }>(`select (${expression})::text as value`);
  return row?.value ?? '';
}

/** Rows of all tables of these tests. */
async function rowsOf(server: Server): Promise<string> {
  const sums = ['t', 'load'].map(
    (table) =>
      `(select count(*) || md5(string_agg(r::text, '|' order by r::text)) from ${table} r)`,
  );
  return await valueOf(server, sums.join(' || '));
}

function emptyPlace(name: string): string {
  const place = scratchPath(name);
  mkdirSync(place);
  giveToServerUser(place);
  return place;
}

/** Lets `pg_wal` lie elsewhere, as `initdb --waldir` does. */
async function moveWal(site: BackupSite): Promise<BackupSite> {
  const { server } = site;
  await server.stop('fast');
  const place = join(emptyPlace('wal'), 'pg_wal');
  renameSync(join(server.dataDir, 'pg_wal'), place);
  symlinkSync(place, join(server.dataDir, 'pg_wal'));
  await server.start();
  return siteOf(server, { WALG_FILE_PREFIX: site.root });
}

/** PostgreSQL's own verification, for the versions whose manifests the tool here knows. */
function verifyFiles(directory: string, version: PostgresVersion): void {
  const tool = clientTool('pg_verifybackup');
  assert.ok(existsSync(join(directory, 'backup_manifest')));
  if (tool === undefined || version > 16) return;
  execFileSync(tool, ['--no-parse-wal', '--quiet', directory], { ...serverUser(), cwd: '/' });
}

for (const version of POSTGRES_VERSIONS) {
  it(`a cluster of ${version} comes back that was read under writes, with a tablespace and a linked pg_wal`, async () => {
    await using opened = await openBackupSite({ version });
    const site = await moveWal(opened);
    const { server } = site;
    const place = emptyPlace('space one');
    await server.query(`create tablespace outside location '${place}'`);
    await server.query(
      `create table t tablespace outside as select n, repeat('x', n % 700) as pad from generate_series(1, 30000) n`,
    );
    await server.query('create unlogged table u as select generate_series(1, 100) as n');
    const load = startWriteLoad(server);
    const backup = await site.push([server.dataDir]);
    await load.stop();
    assert.match(backup.run.stderr, /reading /);
    const expected = await rowsOf(server);
    await archiveEverything(server);
    const mapping = `--tablespace-mapping=${place}=${scratchPathForServerUser('moved')}`;
    await using restored = await site.restore({
      args: [backup.name, mapping],
      inspect: async (directory) => verifyFiles(directory, version),
    });
    assert.equal(await rowsOf(restored.server), expected);
    assert.equal(await valueOf(restored.server, 'select count(*) from u'), '0');
    await restoredByWalg(site, expected);
  });
}

/**
 * The same by a real wal-g, where there is one. Without a spec of its own it would make the link to
 * the tablespace in the data directory that was backed up.
 */
async function restoredByWalg(site: BackupSite, expected: string): Promise<void> {
  if (WALG === '') return;
  const { env, server } = site;
  const directory = scratchPathForServerUser('by-walg');
  const oid = await valueOf(server, "select oid from pg_tablespace where spcname = 'outside'");
  const link = { loc: emptyPlace('by-walg'), link: `pg_tblspc/${oid}` };
  const spec = scratchPath('spec');
  const entries = { base_prefix: directory, tablespaces: [oid], [oid]: link };
  writeFileSync(spec, JSON.stringify(entries));
  const args = ['backup-fetch', directory, 'LATEST', '--restore-spec', spec];
  const fetched = await runWalg(args, { env });
  assert.equal(fetched.code, 0, fetched.stderr.slice(-2000));
  await using restored = await startByWalg(directory, { version: server.version, env });
  assert.equal(await rowsOf(restored), expected);
}
