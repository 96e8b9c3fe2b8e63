/** The formats of core/format against what real servers write, PostgreSQL 13 to 18. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  createReadStream,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { formatLsn } from '@tsbk/core/kernel/lsn';
import { collect } from '@tsbk/core/stream/collect';
import { parseBackupHistory } from '@tsbk/core/format/backup-history';
import { parseBackupLabel } from '@tsbk/core/format/backup-label';
import { replaceConfBlock } from '@tsbk/core/format/conf-block';
import { parseControlFile } from '@tsbk/core/format/control-file';
import { crc32c, crc32cHex } from '@tsbk/core/format/crc32c';
import { formatManifest } from '@tsbk/core/format/format-manifest';
import { formatHistoryFile, parseHistoryFile } from '@tsbk/core/format/history-file';
import { parseManifest } from '@tsbk/core/format/manifest';
import { parsePostgresConf } from '@tsbk/core/format/postgres-conf';
import { formatTablespaceMap, parseTablespaceMap } from '@tsbk/core/format/tablespace-map';
import { readTar } from '@tsbk/core/format/tar/read';
import { safeMemberPath } from '@tsbk/core/format/tar/safe-path';
import { checkWalSegment } from '@tsbk/core/format/wal/page-header';
import {
  clientTool,
  giveToServerUser,
  POSTGRES_VERSIONS,
  scratchPath,
  startPostgres,
  startStandby,
  type Server,
} from './support/postgres.ts';

function serverDirectory(kind: string): string {
  const path = scratchPath(kind);
  mkdirSync(path, { mode: 0o700 });
  giveToServerUser(path);
  return path;
}

for (const version of POSTGRES_VERSIONS) {
  describe(`PostgreSQL ${version}`, () => {
    it('writes formats that tsbk reads', async (t) => {
      const archive = serverDirectory('archive');
      await using server = await startPostgres({
        version,
        archiveCommand: `cp %p ${archive}/%f`,
        settings: { log_timezone: 'Europe/Berlin' },
      });
      await t.test('pg_control', () => controlFile(server));
      await t.test('configuration files', () => configuration(server));
      await t.test('labels and tablespace map', () => labels(server, archive));
      await t.test('tar and manifest of a backup', (inner) => backup(inner, server));
      await t.test('segments and history of a new timeline', () => timeline(server, archive));
    });
  });
}

async function controlFile(server: Server): Promise<void> {
  await server.query('checkpoint');
  const found = parseControlFile(readFileSync(join(server.dataDir, 'global/pg_control')));
  const [row] = await server.query(
    `select s.system_identifier::text, pg_control_version, catalog_version_no,
       extract(epoch from pg_control_last_modified)::bigint::text as modified,
       checkpoint_lsn::text, redo_lsn::text, timeline_id, prev_timeline_id,
       extract(epoch from checkpoint_time)::bigint::text as checkpoint_time,
       min_recovery_end_lsn::text, min_recovery_end_timeline,
       database_block_size, wal_block_size, bytes_per_wal_segment, data_page_checksum_version
     from pg_control_system() s, pg_control_checkpoint(), pg_control_recovery(), pg_control_init()`,
  );
  assert.deepEqual(row, {
    system_identifier: String(found.systemId),
    pg_control_version: found.controlVersion,
    catalog_version_no: found.catalogVersion,
    modified: String(found.modified / 1_000_000_000n),
    checkpoint_lsn: formatLsn(found.checkpointLsn),
    redo_lsn: formatLsn(found.redoLsn),
    timeline_id: found.timeline,
    prev_timeline_id: found.previousTimeline,
    checkpoint_time: String(found.checkpointTime / 1_000_000_000n),
    min_recovery_end_lsn: formatLsn(found.minRecoveryLsn),
    min_recovery_end_timeline: found.minRecoveryTimeline,
    database_block_size: found.blockBytes,
    wal_block_size: found.walBlockBytes,
    bytes_per_wal_segment: found.segmentBytes,
    data_page_checksum_version: found.dataChecksumVersion,
  });
  assert.equal(found.state, 'in production');
}

async function configuration(server: Server): Promise<void> {
  const values = ["it's", 'back\\slash', 'a\nb\tc\rd', '%f # "x"', 'é', "''", '\\'];
  const auto = join(server.dataDir, 'postgresql.auto.conf');
  appendFileSync(auto, "tsbk.left = 'old'\n");
  const settings = values.map((value, index) => [`tsbk.v${index}`, value] as const);
  writeFileSync(auto, replaceConfBlock(readFileSync(auto), { settings, remove: ['tsbk.left'] }));
  const main = join(server.dataDir, 'postgresql.conf');
  const odd = ["tsbk.a'x''y\\'z\\101\\n'", 'TSBK.B   on # why', '\ttsbk.c=-1.5', "tsbk.d = '#'\r"];
  appendFileSync(main, `${odd.join('\n')}\n`);
  const rows = await server.query<{ file: string; name: string; value: string; line: number }>(
    `select sourcefile as file, lower(name) as name, setting as value, sourceline as line
     from pg_file_settings order by seqno`,
  );
  for (const file of [main, auto]) {
    const expected = rows.filter((row) => basename(row.file) === basename(file));
    const found = parsePostgresConf(readFileSync(file), file);
    assert.deepEqual(
      found.map(({ name, value, line }) => ({ name, value, line })),
      expected.map(({ name, value, line }) => ({ name, value, line })),
    );
  }
  assert.deepEqual(
    rows.filter(({ name }) => name.startsWith('tsbk.v')).map(({ value }) => value),
    values,
  );
}

async function labels(server: Server, archive: string): Promise<void> {
  const location = serverDirectory('ta ble=sp\\ace\n');
  await server.query(`create tablespace odd location '${location}'`);
  const session = await server.client();
  const old = server.version < 15;
  const start = old ? "pg_start_backup('lä bel', true, false)" : "pg_backup_start('lä bel', true)";
  const stop = old ? 'pg_stop_backup(false, true)' : 'pg_backup_stop(true)';
  const started = await session.query<{ lsn: string }>(`select ${start}::text as lsn`);
  const stopped = await session.query<{ lsn: string; labelfile: string; spcmapfile: string }>(
    `select lsn::text, labelfile, spcmapfile from ${stop}`,
  );
  await session.end();
  const [row] = stopped.rows;
  assert.ok(row !== undefined);
  const label = parseBackupLabel(Buffer.from(row.labelfile));
  assert.equal(formatLsn(label.start.lsn), started.rows[0]?.lsn);
  assert.deepEqual([label.from, label.method, label.label], ['primary', 'streamed', 'lä bel']);
  assert.equal(label.timeline, 1);
  assert.match(label.startTime ?? '', /^\d{4}-.* CES?T$/);

  const map = parseTablespaceMap(Buffer.from(row.spcmapfile), server.version);
  assert.deepEqual(
    map.map((link) => link.location),
    [location],
  );
  assert.equal(Buffer.from(formatTablespaceMap(map, server.version)).toString(), row.spcmapfile);

  const name = readdirSync(archive).find((file) => file.endsWith('.backup')) ?? '';
  const history = parseBackupHistory(readFileSync(join(archive, name)), name);
  assert.deepEqual(history.start, label.start);
  assert.equal(formatLsn(history.stop.lsn), row.lsn);
  assert.ok(name.startsWith(history.start.segment));
}

async function backup(t: TestContext, server: Server): Promise<void> {
  const psql = clientTool('psql');
  const pgBasebackup = clientTool('pg_basebackup');
  if (psql === undefined || pgBasebackup === undefined) return t.skip('no client programs here');
  const odd = Buffer.concat([
    Buffer.from(`${server.dataDir}/`),
    Buffer.from('b\xe4\xff', 'latin1'),
  ]);
  writeFileSync(odd, 'not UTF-8');
  giveToServerUser(server.dataDir);
  const out = join(serverDirectory('backup'), 'x');
  const at = `host=${server.socketDir} port=${server.port} user=postgres`;
  if (server.version <= 14) {
    const args = ['-Ft', '-X', 'none', '-c', 'fast', '--no-sync', '-D', out];
    execFileSync(pgBasebackup, ['-d', at, ...args], { stdio: 'pipe' });
  } else {
    const options = `CHECKPOINT 'fast', TABLESPACE_MAP, MANIFEST 'yes', TARGET 'server', TARGET_DETAIL '${out}'`;
    // psql is puzzled by several results and fails after all of them.
    spawnSync(psql, ['-X', `${at} replication=true`, '-c', `BASE_BACKUP (${options})`]);
  }
  const bytes = readFileSync(join(out, 'backup_manifest'));
  const manifest = parseManifest(bytes, 'backup_manifest');
  const { systemId } = parseControlFile(readFileSync(join(server.dataDir, 'global/pg_control')));
  assert.equal(manifest.systemId, server.version < 17 ? undefined : systemId);
  assert.ok(manifest.files.some(({ rawPath }) => rawPath?.at(-1) === 0xff));
  const again = await collect(formatManifest(manifest), { maxBytes: 1e8, what: 'manifest' });
  assert.ok(again.equals(bytes));

  const sums = new Map<string, string>();
  for (const tar of readdirSync(out).filter((name) => name.endsWith('.tar'))) {
    const prefix = tar === 'base.tar' ? '' : `pg_tblspc/${basename(tar, '.tar')}/`;
    for await (const { header, body } of readTar(createReadStream(join(out, tar)))) {
      let crc = 0;
      for await (const chunk of body) crc = crc32c(chunk, crc);
      const path = `${prefix}${safeMemberPath(header.name)}`;
      if (header.kind === 'file') sums.set(path, `${header.bytes} ${crc32cHex(crc)}`);
    }
  }
  assert.ok(sums.size > 500);
  // What the client added or the server does not list.
  sums.delete('tablespace_map');
  const listed = manifest.files.filter(({ path }) => path !== 'tablespace_map');
  const expected = new Map(listed.map((file) => [file.path, `${file.bytes} ${file.checksum}`]));
  assert.deepEqual(sums, expected);
}

async function timeline(server: Server, archive: string): Promise<void> {
  await using standby = await startStandby(server);
  await server.query('create table before_promotion (n int)');
  await standby.query('select pg_promote()');
  await standby.query('checkpoint');
  const wal = join(standby.dataDir, 'pg_wal');
  const text = readFileSync(join(wal, '00000002.history'), 'utf8');
  const history = parseHistoryFile(text, '00000002.history');
  assert.deepEqual(
    history.ancestors.map((ancestor) => ancestor.timeline),
    [1],
  );
  assert.equal(formatHistoryFile(history), text);

  const { systemId } = parseControlFile(readFileSync(join(server.dataDir, 'global/pg_control')));
  const first = readdirSync(wal)
    .filter((name) => /^00000002[0-9A-F]{16}$/.test(name))
    .toSorted()[0];
  const segments = readdirSync(archive).filter((name) => /^[0-9A-F]{24}$/.test(name));
  assert.ok(first !== undefined && segments.length > 0);
  for (const path of [join(wal, first), ...segments.map((name) => join(archive, name))]) {
    const page = readFileSync(path).subarray(0, 8192);
    const facts = checkWalSegment(basename(path), page, statSync(path).size);
    assert.deepEqual([facts.systemId, facts.version], [systemId, server.version]);
  }
}
