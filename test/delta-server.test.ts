/**
 * Deltas that PostgreSQL makes: taken one after the other from a server whose tables grow, shrink, are
 * rewritten and dropped, put together by WAL-G's rules, and compared by rows of a started server.
 */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isPagedFile } from '@tsbk/core/format/increment/paged-file';
import { archiveEverything } from './support/archiving-server.ts';
import { openBackupSite, siteOf, type BackupSite } from './support/backup-site.ts';
import { combineChain, listedFiles, membersOf } from './support/combine-chain.ts';
import { eventually } from './support/eventually.ts';
import {
  giveToServerUser,
  scratchPath,
  scratchPathForServerUser,
  startFrom,
  startStandby,
  type PostgresVersion,
  type Server,
} from './support/postgres.ts';
import { installedTsbk } from './support/tsbk.ts';

const STEPS = ['--delta-max-steps', '6'];
/** Tables whose rows are compared; those that a step drops or makes come and go. */
const SUMS = `select coalesce(string_agg(format('%s %s', c.oid::regclass,
    (xpath('//s/text()', query_to_xml(format(
      'select count(*) || md5(string_agg(t::text, '''' order by t::text)) as s from %s t',
      c.oid::regclass), false, true, '')))[1]), e'\\n' order by relname), '') as sums
  from pg_class c where relnamespace = 'public'::regnamespace and relkind = 'r'`;

const BEFORE = [
  "create table accounts as select g as n, 0 as balance, repeat('x', 80) as filler from generate_series(1, 20000) g",
  'create index on accounts (n)',
  'create table shrinks as select g as n, md5(g::text) as t from generate_series(1, 20000) g',
  'create table grows as select g as n, md5(g::text) as t from generate_series(1, 2000) g',
  'create table rewritten as select g as n, md5(g::text) as t from generate_series(1, 9000) g',
  'create table emptied as select g as n from generate_series(1, 9000) g',
  'create table dropped as select g as n from generate_series(1, 9000) g',
  'create table quiet as select g as n from generate_series(1, 90000) g',
  'vacuum',
];

/** What happens before each delta. */
const STEPS_OF_WORK: readonly (readonly string[])[] = [
  [
    'update accounts set balance = balance + 1 where n % 5000 = 7',
    'delete from shrinks where n > 5000',
    'vacuum shrinks',
    'insert into grows select g, md5(g::text) from generate_series(2001, 30000) g',
    'truncate emptied',
  ],
  [
    'delete from accounts where n between 300 and 330',
    'insert into shrinks select g, md5(g::text) from generate_series(5001, 9000) g',
    'vacuum full rewritten',
    'drop table dropped',
    'create table made (n int)',
    'insert into made select generate_series(1, 3000)',
    'insert into emptied select generate_series(1, 100)',
  ],
  [
    'insert into accounts select g, 5, md5(g::text) from generate_series(20001, 21000) g',
    'delete from grows where n > 10000',
    'vacuum grows',
    'update made set n = n + 1 where n < 10',
    'create database another',
  ],
];

async function sums(server: Server): Promise<string> {
  const [row] = await server.query<{ sums: string }>(SUMS);
  return row?.sums ?? '';
}

async function run(server: Server, statements: readonly string[]): Promise<void> {
  for (const statement of statements) await server.query(statement);
}

/** Starts a server on a directory that was put together, as it was when the backup ended. */
async function startAtBackup(site: BackupSite, directory: string): Promise<Server> {
  writeFileSync(join(directory, 'recovery.signal'), '');
  const { archiveGet, env } = installedTsbk();
  return startFrom(directory, {
    version: site.server.version,
    waitFor: 'end-of-recovery',
    env: { ...env, ...site.env },
    settings: {
      restore_command: `${archiveGet} %f %p`,
      recovery_target: 'immediate',
      recovery_target_action: 'promote',
    },
  });
}

test('a chain of deltas by a server of 17 holds what the server held, on a full backup of its files', async () => {
  await using site = await openDeltaSite(17);
  const { server } = site;
  const full = await site.push([server.dataDir, ...STEPS]);
  assert.equal(full.delta, undefined);
  assert.match(full.reason, /no backup yet/);
  const chain = [full.name];
  const expected: string[] = [];
  for (const work of STEPS_OF_WORK) {
    await run(server, [...work, 'delete from elsewhere where n % 3000 = 1']);
    expected.unshift(await sums(server));
    chain.unshift(await pushDelta(site, chain));
  }

  const directory = scratchPathForServerUser('combined');
  const space = scratchPathForServerUser('combined-space');
  combineChain(site.root, chain, { directory, links: { [await spaceOf(server)]: space } });
  await using combined = await startAtBackup(site, directory);
  assert.equal(await sums(combined), expected[0]);
  await combined.close();

  const moved = `${site.place}=${scratchPathForServerUser('moved-space')}`;
  const args = [chain[1] ?? '', '--target-immediate', '--tablespace-mapping', moved];
  await using restored = await site.restore({ args });
  assert.equal(await sums(restored.server), expected[1]);
});

test('a chain of deltas goes on when a standby of 18 takes one of them, and when it is promoted', async () => {
  await using site = await openSummarizing(18);
  const { server: primary } = site;
  await run(primary, BEFORE);
  const settings = { WALG_FILE_PREFIX: site.root, WALG_COMPRESSION_METHOD: 'none' };
  await using standbyServer = await startStandby(primary, {
    settings: { summarize_wal: 'on', archive_mode: 'on' },
    env: { ...installedTsbk().env, ...settings },
  });
  const standby = siteOf(standbyServer, settings);
  // What a standby has not replayed it has not summarized: it was there before the parent.
  const full = await site.push(STEPS);
  await run(primary, STEPS_OF_WORK[0] ?? []);
  await moveRestartpoint(primary, standbyServer);
  const onStandby = await whileMoving(primary, () => pushDelta(standby, [full.name]));

  // Where a timeline begins exactly with a segment, servers find no summary that begins there.
  await primary.query('create table last_of_primary (n int)');
  await untilReplayed(primary, standbyServer);
  await standbyServer.query('select pg_promote()');
  await run(standbyServer, STEPS_OF_WORK[1] ?? []);
  const expected = await sums(standbyServer);
  const promoted = await pushDelta(standby, [onStandby, full.name]);
  assert.match(promoted, /^base_00000002.*_D_00000001/);
  await archiveEverything(standbyServer);
  await using restored = await standby.restore();
  assert.equal(await sums(restored.server), expected);
});

test('a delta that is more than the calling thread takes goes on in threads, and is whole', async () => {
  await using site = await openSummarizing(17);
  const { server } = site;
  await run(server, BEFORE);
  await site.push(STEPS);
  // Beside files that the calling thread has begun with, one that it has no room for.
  const text = "md5(g::text) || repeat('x', 800)";
  await run(server, [
    `create table large as select g as n, ${text} as t from generate_series(1, 50000) g`,
    'update accounts set balance = balance + 1 where n % 3 = 1',
  ]);
  const expected = await sums(server);
  const { delta, parts, plainBytes } = await site.push(STEPS);
  assert.equal(delta?.source, 'server');
  assert.ok(plainBytes > 40 * 1024 * 1024, `${plainBytes} bytes`);
  assert.ok(parts > 1, 'the calling thread has made all of it');
  await using restored = await site.restore();
  assert.equal(await sums(restored.server), expected);
});

interface DeltaSite extends BackupSite {
  /** Where a tablespace is. */
  readonly place: string;
}

function openSummarizing(version: PostgresVersion): Promise<BackupSite> {
  return openBackupSite({
    version,
    settings: { summarize_wal: 'on' },
    tsbkEnv: { WALG_COMPRESSION_METHOD: 'none' },
  });
}

/** A server with tables, some in a tablespace, that has not been backed up yet. */
async function openDeltaSite(version: PostgresVersion): Promise<DeltaSite> {
  const site = await openSummarizing(version);
  const place = scratchPath('space');
  mkdirSync(place);
  giveToServerUser(place);
  await run(site.server, [
    ...BEFORE,
    `create tablespace aside location '${place}'`,
    'create table elsewhere tablespace aside as select g as n from generate_series(1, 9000) g',
    'vacuum',
  ]);
  return { ...site, place };
}

async function spaceOf(server: Server): Promise<string> {
  const [row] = await server.query<{ oid: string }>(
    "select oid::text from pg_tablespace where spcname = 'aside'",
  );
  return row?.oid ?? '';
}

/** Takes the delta that comes after `chain`, newest first, and looks at its records. */
async function pushDelta(site: BackupSite, chain: readonly string[]): Promise<string> {
  const { name, delta, reason } = await site.push(STEPS);
  const place = { parent: chain[0], full: chain.at(-1), count: chain.length, source: 'server' };
  assert.deepEqual(delta, place, reason);
  checkRecords(site.root, name, chain[0] ?? '');
  return name;
}

/** Lets the standby's next backup start later than the parent ends. */
async function moveRestartpoint(primary: Server, standby: Server): Promise<void> {
  await primary.query('checkpoint');
  await untilReplayed(primary, standby);
  await standby.query('checkpoint');
}

async function untilReplayed(primary: Server, standby: Server): Promise<void> {
  const [row] = await primary.query<{ lsn: string }>('select pg_current_wal_lsn()::text as lsn');
  await eventually('the standby replaying', async () => {
    const [answer] = await standby.query<{ there: boolean }>(
      `select pg_last_wal_replay_lsn() >= '${row?.lsn}' as there`,
    );
    return answer?.there === true ? true : undefined;
  });
}

/** The WAL of a standby's backup is archived when the primary moves on. */
async function whileMoving<T>(primary: Server, work: () => Promise<T>): Promise<T> {
  let isDone = false;
  const moving = (async () => {
    while (!isDone) {
      await primary.query("select pg_logical_emit_message(false, 'tsbk', 'x')");
      await primary.query('select pg_switch_wal()');
      await sleep(500);
    }
  })();
  try {
    return await work();
  } finally {
    isDone = true;
    await moving;
  }
}

/** Only what WAL-G restores from increments is one, and it is small where little has changed. */
function checkRecords(root: string, name: string, parent: string): void {
  const before = listedFiles(root, parent);
  const members = new Map(membersOf(root, name).map((member) => [member.name, member]));
  let quiet = 0;
  for (const [file, { IsIncremented }] of listedFiles(root, name)) {
    if (!IsIncremented) continue;
    assert.ok(before.has(file), file);
    assert.ok(isPagedFile(file.slice(1), 8192), file);
    if (members.get(file)?.content.length === 16) quiet += 1;
  }
  assert.ok(quiet > 50, `${quiet} files did not change`);
  const label = members.get('backup_label')?.content.toString() ?? '';
  assert.match(label, /^START WAL LOCATION: /);
  assert.doesNotMatch(label, /INCREMENTAL/);
  const manifest = readFileSync(join(root, 'basebackups_005', name, 'backup_manifest'), 'utf8');
  assert.match(manifest, /"Path": "base\/\d+\/INCREMENTAL\.\d+"/);
  assert.ok(manifest.includes(`"Path": "backup_label", "Size": ${label.length},`));
  const record = readFileSync(join(root, 'basebackups_005', name, 'tsbk.json'), 'utf8');
  assert.ok(record.includes(`"delta":{"parent":"${parent}","source":"server"}`));
}
