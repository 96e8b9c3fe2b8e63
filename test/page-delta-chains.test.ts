/** Chains of deltas whose changes tsbk finds itself, page by page or by WAL summaries, on live servers. */
import assert from 'node:assert/strict';
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { archiveEverything } from './support/archiving-server.ts';
import { openBackupSite, type BackupSite } from './support/backup-site.ts';
import { eventually } from './support/eventually.ts';
import { change, contentsOf, sumsOfTables } from './support/delta-changes.ts';
import { scratchPathForServerUser, startFrom, type Server } from './support/postgres.ts';
import { runCommand } from './support/tsbk.ts';

const WALG = process.env['WALG_BIN'] ?? '';
const DELTAS = { TSBK_DELTA_MAX_STEPS: '10', TSBK_DELTA_FALLBACK: 'fail' };

interface Link {
  readonly name: string;
  /** 0 where nobody asked. */
  readonly storedBytes: number;
  /** Where its changes come from; `undefined` for a full backup. */
  readonly source: string | undefined;
  readonly sums: Readonly<Record<string, string>>;
}

/** Takes one link of a chain. */
type Take = (site: BackupSite) => Promise<Omit<Link, 'sums'>>;

const ofDirectory: Take = (site) => pushed(site, [site.server.dataDir]);
const ofStream: Take = (site) => pushed(site, []);

async function pushed(site: BackupSite, args: readonly string[]): Promise<Omit<Link, 'sums'>> {
  const { name, storedBytes, run } = await site.push(args);
  const { delta } = JSON.parse(run.stdout) as { delta?: { source: string } };
  return { name, storedBytes, source: delta?.source };
}

/** By a real wal-g. */
const ofWalg: Take = async (site) => {
  const { server, env } = site;
  const settings = { ...env, WALG_DELTA_MAX_STEPS: '10' };
  const run = await runCommand(WALG, ['backup-push', server.dataDir], { env: settings });
  assert.equal(run.code, 0, run.stderr.slice(-2000));
  const names = await site.list();
  const name = names.toSorted((a, b) => (a.slice(0, 29) < b.slice(0, 29) ? -1 : 1)).at(-1) ?? '';
  return { name, storedBytes: 0, source: name.includes('_D_') ? 'wal-g' : undefined };
};

/** A backup after each of the changes. */
async function makeChain(site: BackupSite, takes: readonly Take[]): Promise<Link[]> {
  const links: Link[] = [];
  for (const [link, take] of takes.entries()) {
    await change(site.server, link);
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

/** Restores a link by a real wal-g, and compares what a server on it has. */
async function restoredByWalg(
  { env, server }: BackupSite,
  { name, sums }: Link,
  args: readonly string[],
): Promise<void> {
  const directory = scratchPathForServerUser('by-walg');
  const fetched = await runCommand(WALG, ['backup-fetch', directory, name, ...args], { env });
  assert.equal(fetched.code, 0, fetched.stderr.slice(-2000));
  writeFileSync(join(directory, 'recovery.signal'), '');
  await using restored = await startFrom(directory, {
    version: server.version,
    waitFor: 'connections',
    env,
    settings: { restore_command: `${WALG} wal-fetch %f %p`, recovery_target: 'immediate' },
  });
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
  await using restored = await site.restore({ args: [last.name] });
  assert.deepEqual(await sumsOfTables(restored.server), last.sums);
  if (WALG === '') return;
  await restoredByWalg(site, last, []);
  await restoredByWalg(site, last, ['--reverse-unpack']);
  await restoredByWalg(site, first, ['--reverse-unpack', '--skip-redundant-tars']);
}

it('a chain of deltas of a data directory comes back, and has what changed', async () => {
  await using site = await openBackupSite({ version: 13, tsbkEnv: DELTAS });
  const { server, root } = site;
  const chain = await makeChain(site, [ofDirectory, ofDirectory, ofDirectory, ofDirectory]);
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

it('a chain comes back of which wal-g took every other link', { skip: WALG === '' }, async () => {
  await using site = await openBackupSite({ version: 16, tsbkEnv: DELTAS });
  const chain = await makeChain(site, [ofWalg, ofDirectory, ofWalg, ofDirectory]);
  const sources = chain.map(({ source }) => source);
  assert.deepEqual(sources, [undefined, 'files', 'wal-g', 'files']);
  await comesBack(site, chain);
});
