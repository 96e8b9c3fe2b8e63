/**
 * Deltas that PostgreSQL makes: taken one after the other from a server whose tables grow, shrink, are
 * rewritten and dropped, put together by WAL-G's rules, and compared by rows of a started server.
 */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { isPagedFile } from '@tsbk/core/format/increment/paged-file';
import { openBackupSite, type BackupSite, type PushedBackup } from './support/backup-site.ts';
import { combineChain, listedFiles, membersOf } from './support/combine-chain.ts';
import {
  giveToServerUser,
  scratchPath,
  scratchPathForServerUser,
  startFrom,
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
    'create table made aside (n int)'.replace(' aside', ''),
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

type Delta = PushedBackup & {
  readonly delta?: { readonly parent: string; readonly count: number; readonly source: string };
  readonly reason: string;
};

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

for (const version of [17, 18] as const) {
  test(`a chain of deltas by a server of ${version} holds what the server held`, async () => {
    await using site = await openBackupSite({
      version,
      settings: { summarize_wal: 'on' },
      tsbkEnv: { WALG_COMPRESSION_METHOD: 'none' },
    });
    const { server } = site;
    await run(server, BEFORE);
    const place = scratchPath('space');
    mkdirSync(place);
    giveToServerUser(place);
    await run(server, [
      `create tablespace aside location '${place}'`,
      'create table elsewhere tablespace aside as select g as n from generate_series(1, 9000) g',
    ]);
    const full = (await site.push(STEPS)) as Delta;
    assert.equal(full.delta, undefined);
    assert.match(full.reason, /no backup yet/);
    const chain = [full.name];
    const [link] = await server.query<{ oid: string }>(
      "select oid::text from pg_tablespace where spcname = 'aside'",
    );
    for (const [index, work] of STEPS_OF_WORK.entries()) {
      await run(server, [...work, `delete from elsewhere where n = ${index}`]);
      const expected = await sums(server);
      const pushed = (await site.push(STEPS)) as Delta;
      assert.deepEqual(
        [pushed.delta?.parent, pushed.delta?.count, pushed.delta?.source],
        [chain[0], index + 1, 'server'],
      );
      chain.unshift(pushed.name);
      checkRecords(site.root, chain);

      const directory = scratchPathForServerUser('combined');
      const space = scratchPathForServerUser('combined-space');
      combineChain(site.root, chain, { directory, links: { [link?.oid ?? '']: space } });
      await using restored = await startAtBackup(site, directory);
      assert.equal(await sums(restored), expected);
    }
  });
}

/** Only what WAL-G restores from increments is one, and it is small where little has changed. */
function checkRecords(root: string, [name = '', parent = '']: readonly string[]): void {
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
