/** Chains of deltas of a data directory that tsbk reads itself, on live servers. */
import assert from 'node:assert/strict';
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { archiveEverything } from './support/archiving-server.ts';
import { openBackupSite, type BackupSite } from './support/backup-site.ts';
import { eventually } from './support/eventually.ts';
import { change, CHANGES, contentsOf, sumsOfTables } from './support/delta-changes.ts';
import { scratchPathForServerUser, startFrom, type Server } from './support/postgres.ts';
import { runCommand } from './support/tsbk.ts';

const WALG = process.env['WALG_BIN'] ?? '';
const DELTAS = { TSBK_DELTA_MAX_STEPS: '10', TSBK_DELTA_FALLBACK: 'fail' };

interface Link {
  readonly name: string;
  readonly storedBytes: number;
  /** Where its changes come from. */
  readonly source: string | undefined;
  readonly sums: Readonly<Record<string, string>>;
}

/** A full backup and a delta after each of the changes. `before` the last of them something happens. */
async function makeChain(
  site: BackupSite,
  args: readonly string[],
  before: (server: Server) => Promise<void>,
): Promise<Link[]> {
  const links: Link[] = [];
  for (const link of CHANGES.keys()) {
    await change(site.server, link);
    if (link === CHANGES.length - 1) await before(site.server);
    const { name, storedBytes, run } = await site.push(args);
    const { delta } = JSON.parse(run.stdout) as { delta?: { source: string } };
    const sums = await sumsOfTables(site.server);
    links.push({ name, storedBytes, sums, source: delta?.source });
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

/** Takes a summary away that the next delta needs. */
async function loseSummaries(server: Server): Promise<void> {
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
}

const nothing = (): Promise<void> => Promise.resolve();

for (const { version, settings, before, sources } of [
  { version: 13, settings: {}, before: nothing, sources: ['files', 'files', 'files'] },
  {
    version: 17,
    settings: { summarize_wal: 'on' },
    before: loseSummaries,
    sources: ['summaries', 'summaries', 'files'],
  },
] as const) {
  it(`a chain of deltas of ${version}, by its ${sources[0]}, comes back link by link`, async () => {
    await using site = await openBackupSite({ version, settings, tsbkEnv: DELTAS });
    const { server, root } = site;
    const still = await fileOf(server, 'pg_class');
    const chain = await makeChain(site, [server.dataDir], before);
    const [full, first, , last] = chain;
    assert.ok(full !== undefined && first !== undefined && last !== undefined);
    assert.match(last.name, /_D_/);
    assert.ok(first.storedBytes < full.storedBytes / 2);
    assert.deepEqual(
      chain.map((link) => link.source),
      [undefined, ...sources],
    );
    const kinds = contentsOf(root, last.name);
    // Summaries prove that none of its pages has changed, and it is not read at all.
    const unchanged = version === 13 ? 'skipped' : 'incremented';
    assert.equal(kinds.get(await fileOf(server, 'still')), unchanged);
    assert.equal(kinds.get(await fileOf(server, 'moving')), 'incremented');
    assert.equal(kinds.get(await fileOf(server, 'dropped')), 'whole');
    assert.equal(kinds.get(still), 'incremented');
    await using restored = await site.restore({ args: [last.name] });
    assert.deepEqual(await sumsOfTables(restored.server), last.sums);
    if (WALG !== '') {
      await restoredByWalg(site, last, []);
      await restoredByWalg(site, last, ['--reverse-unpack']);
      await restoredByWalg(site, first, ['--reverse-unpack', '--skip-redundant-tars']);
    }
  });
}
