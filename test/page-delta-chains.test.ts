/** Chains of deltas whose changes tsbk finds itself, page by page or by WAL summaries, on live servers. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { archiveEverything } from './support/archiving-server.ts';
import { openBackupSite, type BackupSite } from './support/backup-site.ts';
import { eventually } from './support/eventually.ts';
import { change, contentsOf, sumsOfTables } from './support/delta-changes.ts';
import {
  clientTool,
  giveToServerUser,
  scratchPath,
  scratchPathForServerUser,
  serverUser,
  type Server,
} from './support/postgres.ts';
import { runWalg, startByWalg, WALG, walgLacks } from './support/walg.ts';

const DELTAS = { TSBK_DELTA_MAX_STEPS: '10', TSBK_DELTA_FALLBACK: 'fail' };

interface Link {
  readonly name: string;
  /** 0 where nobody asked. */
  readonly storedBytes: number;
  /** Where its changes come from; `undefined` for a full backup. */
  readonly source: string | undefined;
  readonly warnings: string;
  readonly sums: Readonly<Record<string, string>>;
}

/** Takes one link of a chain. */
type Take = (site: BackupSite) => Promise<Omit<Link, 'sums'>>;

const ofDirectory: Take = (site) => pushed(site, [site.server.dataDir]);
const ofStream: Take = (site) => pushed(site, []);

async function pushed(site: BackupSite, args: readonly string[]): Promise<Omit<Link, 'sums'>> {
  const { name, storedBytes, run } = await site.push(args);
  const { delta } = JSON.parse(run.stdout) as { delta?: { source: string } };
  return { name, storedBytes, source: delta?.source, warnings: run.stderr };
}

/** By a real wal-g. */
const ofWalg: Take = async (site) => {
  const { server, env } = site;
  const settings = { ...env, WALG_DELTA_MAX_STEPS: '10' };
  const run = await runWalg(['backup-push', server.dataDir], { env: settings });
  assert.equal(run.code, 0, run.stderr.slice(-2000));
  const names = await site.list();
  const name = names.toSorted((a, b) => (a.slice(0, 29) < b.slice(0, 29) ? -1 : 1)).at(-1) ?? '';
  const source = name.includes('_D_') ? 'wal-g' : undefined;
  return { name, storedBytes: 0, source, warnings: run.stderr };
};

/** A backup after each of the changes, some of them to a table in a tablespace. */
async function makeChain(site: BackupSite, takes: readonly Take[]): Promise<Link[]> {
  const links: Link[] = [];
  const place = scratchPathForServerUser('space');
  mkdirSync(place);
  giveToServerUser(place);
  await site.server.query(`create tablespace outside location '${place}'`);
  await site.server.query(
    'create table spaced tablespace outside as select n, 0 as k from generate_series(1, 9000) n',
  );
  for (const [link, take] of takes.entries()) {
    await change(site.server, link);
    await site.server.query(`update spaced set k = ${link} where n % 1000 = ${link}`);
    links.push({ ...(await take(site)), sums: await sumsOfTables(site.server) });
  }
  await archiveEverything(site.server);
  return links;
}

/** The file of a table, by its name in the records of a backup. */
async function fileOf(server: Server, table: string): Promise<string> {
  const [row] = await server.query<{ path: string }>('select pg_relation_filepath($1) as path', [
    table,
  ]);
  return `/${row?.path}`;
}

async function spaceOf(server: Server): Promise<{ oid: string; location: string }> {
  const [row] = await server.query<{ oid: string; location: string }>(
    "select oid::text, pg_tablespace_location(oid) as location from pg_tablespace where spcname = 'outside'",
  );
  return row ?? { oid: '', location: '' };
}

/** PostgreSQL's own verification, for the versions whose manifests the tool here knows. */
async function verifyFiles(directory: string): Promise<void> {
  const tool = clientTool('pg_verifybackup');
  if (tool === undefined) return;
  execFileSync(tool, ['--no-parse-wal', '--quiet', directory], { ...serverUser(), cwd: '/' });
}

/** Restores a link by a real wal-g, and compares what a server on it has. */
async function restoredByWalg(
  { env, server }: BackupSite,
  { name, sums }: Link,
  args: readonly string[],
): Promise<void> {
  const directory = scratchPathForServerUser('by-walg');
  const { oid } = await spaceOf(server);
  const spec = scratchPath('spec');
  const link = { loc: scratchPathForServerUser('by-walg-space'), link: `pg_tblspc/${oid}` };
  writeFileSync(spec, JSON.stringify({ base_prefix: directory, tablespaces: [oid], [oid]: link }));
  const words = ['backup-fetch', directory, name, '--restore-spec', spec, ...args];
  const fetched = await runWalg(words, { env });
  assert.equal(fetched.code, 0, fetched.stderr.slice(-2000));
  const { version } = server;
  await using restored = await startByWalg(directory, { version, env, immediate: true });
  assert.deepEqual(await sumsOfTables(restored), sums);
}

/** A delta after the server has lost a summary that it needs. */
const withoutSummaries: Take = async (site) => {
  const { server } = site;
  await server.query('checkpoint');
  const [row] = await server.query<{ redo: string }>(
    'select redo_lsn::text as redo from pg_control_checkpoint()',
  );
  await eventually('the summary of a checkpoint', async () => {
    const found = await server.query(
      'select end_lsn from pg_available_wal_summaries() where end_lsn >= $1::pg_lsn',
      [row?.redo],
    );
    return found[0];
  });
  const folder = join(server.dataDir, 'pg_wal/summaries');
  for (const name of readdirSync(folder)) rmSync(join(folder, name));
  return await ofDirectory(site);
};

/** Restores the last link, and others by a real wal-g. */
async function comesBack(site: BackupSite, chain: readonly Link[]): Promise<void> {
  const first = chain[1];
  const last = chain.at(-1);
  assert.ok(first !== undefined && last !== undefined);
  const { location } = await spaceOf(site.server);
  const mapping = `--tablespace-mapping=${location}=${scratchPathForServerUser('moved')}`;
  const isKnown = site.server.version <= 16;
  await using restored = await site.restore({
    args: [last.name, mapping],
    ...(isKnown ? { inspect: verifyFiles } : {}),
  });
  assert.deepEqual(await sumsOfTables(restored.server), last.sums);
  if (WALG === '') return;
  await restoredByWalg(site, last, []);
  await restoredByWalg(site, last, ['--reverse-unpack']);
  await restoredByWalg(site, first, ['--reverse-unpack', '--skip-redundant-tars']);
}

it('a chain of deltas of a data directory comes back, and has what changed', async () => {
  await using site = await openBackupSite({ version: 13, tsbkEnv: DELTAS });
  const { server, root } = site;
  const note = join(server.dataDir, 'note');
  const noted =
    (text: string): Take =>
    async () => {
      // Not a whole second, which would be taken for a rounded one.
      writeFileSync(note, text);
      utimesSync(note, 1_700_000_000.5, 1_700_000_000.5);
      return await ofDirectory(site);
    };
  const lying: Take = async () => {
    const link = await noted('other')(site);
    assert.match(link.warnings, /"mtime-lies","message":"note has another content/);
    return link;
  };
  const chain = await makeChain(site, [noted('first'), ofDirectory, lying, ofDirectory]);
  const sources = chain.map(({ source }) => source);
  assert.deepEqual(sources, [undefined, 'files', 'files', 'files']);
  const [full, first, , last] = chain;
  assert.ok(full !== undefined && first !== undefined && last !== undefined);
  assert.ok(first.storedBytes < full.storedBytes / 2);
  const kinds = contentsOf(root, last.name);
  for (const [table, kind] of [
    ['still', 'skipped'],
    ['moving', 'incremented'],
    ['pg_class', 'incremented'],
    ['dropped', 'whole'],
    ['spaced', 'incremented'],
  ] as const) {
    assert.equal(kinds.get(await fileOf(server, table)), kind, table);
  }
  await comesBack(site, chain);
});

it('a chain of deltas by WAL summaries comes back, and goes on by the pages without them', async () => {
  const settings = { summarize_wal: 'on' };
  await using site = await openBackupSite({ version: 17, settings, tsbkEnv: DELTAS });
  const { server, root } = site;
  const chain = await makeChain(site, [ofDirectory, ofDirectory, ofDirectory, withoutSummaries]);
  const sources = chain.map(({ source }) => source);
  assert.deepEqual(sources, [undefined, 'summaries', 'summaries', 'files']);
  const kinds = contentsOf(root, chain[2]?.name ?? '');
  assert.equal(kinds.get(await fileOf(server, 'still')), 'incremented');
  await comesBack(site, chain);
});

it('a chain of deltas of what a server sends comes back, on a backup of its directory', async () => {
  await using site = await openBackupSite({ version: 15, tsbkEnv: DELTAS });
  const { server, root } = site;
  const chain = await makeChain(site, [ofDirectory, ofStream, ofStream, ofDirectory]);
  const sources = chain.map(({ source }) => source);
  assert.deepEqual(sources, [undefined, 'stream', 'stream', 'files']);
  for (const link of chain.slice(1)) {
    assert.equal(contentsOf(root, link.name).get(await fileOf(server, 'still')), 'skipped');
  }
  await comesBack(site, chain);
});

it('a chain comes back of which wal-g took every other link', { skip: walgLacks() }, async () => {
  await using site = await openBackupSite({ version: 16, tsbkEnv: DELTAS });
  const chain = await makeChain(site, [ofWalg, ofDirectory, ofWalg, ofDirectory]);
  const sources = chain.map(({ source }) => source);
  assert.deepEqual(sources, [undefined, 'files', 'wal-g', 'files']);
  await comesBack(site, chain);
});
