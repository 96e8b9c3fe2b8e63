/** Chains of live servers are folded into full backups, which do without the chain from then on. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { archiveEverything } from './support/archiving-server.ts';
import { openBackupSite, type BackupSite } from './support/backup-site.ts';
import { change, contentsOf, sumsOfTables } from './support/delta-changes.ts';
import { contentOfTree } from './support/file-tree.ts';
import { clientTool, scratchPathForServerUser } from './support/postgres.ts';
import { runWalg, startByWalg, WALG } from './support/walg.ts';

const DELTAS = {
  TSBK_DELTA_MAX_STEPS: '10',
  TSBK_DELTA_FALLBACK: 'fail',
  // What is restored here need not outlive the machine.
  TSBK_TAR_DISABLE_FSYNC: 'true',
};
/** A key for tests. It protects nothing. */
const SODIUM = {
  WALG_LIBSODIUM_KEY: `${'00'.repeat(31)}2c`,
  WALG_LIBSODIUM_KEY_TRANSFORM: 'hex',
};
const OTHER_KEY = { WALG_LIBSODIUM_KEY: `${'00'.repeat(31)}2d` };
const LINKS = 4;

interface Merged {
  readonly name: string;
  readonly merged: readonly string[];
}

/** A full backup and deltas on it, with a change before each. */
async function makeChain(site: BackupSite, args: readonly string[]): Promise<string[]> {
  const names: string[] = [];
  for (let link = 0; link < LINKS; link += 1) {
    await change(site.server, link);
    names.push((await site.push(args)).name);
  }
  return names;
}

async function merge(site: BackupSite, name: string): Promise<Merged> {
  const run = await site.tsbk(['backup-merge', name, '--json']);
  assert.equal(run.code, 0, run.stderr.slice(-2000));
  return JSON.parse(run.stdout) as Merged;
}

/** Restores without a server; what is there, by path. What tells where it was restored to is left out. */
async function contentOfRestored(
  site: BackupSite,
  name: string,
  {
    mapping = [],
    verify = false,
  }: { readonly mapping?: readonly string[]; readonly verify?: boolean } = {},
): Promise<Readonly<Record<string, string>>> {
  const directory = scratchPathForServerUser('merged');
  const moved = mapping.map((place) => [place, scratchPathForServerUser('moved')] as const);
  const flags = moved.map(([from, to]) => `--tablespace-mapping=${from}=${to}`);
  const args = ['backup-fetch', directory, name, '--no-recovery-settings', ...flags];
  const run = await site.tsbk(args);
  assert.equal(run.code, 0, run.stderr.slice(-2000));
  const tool = verify ? clientTool('pg_verifybackup') : undefined;
  if (tool !== undefined) execFileSync(tool, ['--no-parse-wal', '--quiet', directory]);
  const content = { ...(await contentOfTree(directory)) };
  delete content['pg_wal/tsbk_restore.json'];
  for (const [, to] of moved) Object.assign(content, await contentOfTree(to));
  if (moved.length > 0) {
    delete content['tablespace_map'];
    delete content['backup_manifest'];
  }
  for (const path of [directory, ...moved.map(([, to]) => to)]) rmSync(path, { recursive: true });
  return content;
}

function removeBackups({ root }: BackupSite, names: readonly string[]): void {
  for (const name of names) {
    const path = join(root, 'basebackups_005', name);
    rmSync(path, { recursive: true });
    rmSync(`${path}_backup_stop_sentinel.json`);
  }
}

function isWhole(root: string, name: string): boolean {
  return [...contentsOf(root, name).values()].every((content) => content === 'whole');
}

/** By the commands that show backups, and for those that were not merged by nothing new. */
async function isShownAsMerged(
  site: BackupSite,
  name: string,
  merged: readonly string[],
): Promise<void> {
  const shown = await site.tsbk(['backup-show', name]);
  assert.deepEqual(shown.stdout.match(/(?<=^merged of +)\S+$/gm), merged);
  const asJson = await site.tsbk(['backup-show', name, '--json']);
  assert.deepEqual((JSON.parse(asJson.stdout) as { merged: unknown }).merged, merged);
  const listed = await site.tsbk(['backup-list', '--detail', '--json']);
  const backups = JSON.parse(listed.stdout) as { backup_name: string; merged?: unknown }[];
  const found = backups.filter((backup) => 'merged' in backup);
  assert.deepEqual(
    found.map((backup) => [backup.backup_name, backup.merged]),
    [[name, merged]],
  );
  const table = await site.tsbk(['backup-list', '--detail']);
  assert.match(table.stdout, / merged_backups *$/m);
  assert.match(table.stdout, new RegExp(`^${name} .* ${merged.length} *$`, 'm'));
  assert.match(table.stdout, new RegExp(`^${merged[0]} .* - *$`, 'm'));
  // Who cannot read it lists as before.
  const blind = await site.tsbk(['backup-list', '--detail'], { env: OTHER_KEY });
  assert.equal(blind.code, 0, blind.stderr);
  assert.doesNotMatch(blind.stdout, /merged/);
}

describe('a chain that is merged', () => {
  it('of a server that makes incrementals, encrypted, with a tablespace', async () => {
    await using site = await openBackupSite({
      version: 17,
      settings: { summarize_wal: 'on', autovacuum: 'off' },
      tsbkEnv: { ...DELTAS, ...SODIUM, TSBK_DELTA_SOURCE: 'server' },
    });
    const { server, root } = site;
    const place = scratchPathForServerUser('place');
    mkdirSync(place);
    execFileSync('chown', ['--reference', server.dataDir, place]);
    await server.query(`create tablespace place location '${place}'`);
    await server.query(
      'create table placed tablespace place as select n from generate_series(1, 9000) n',
    );
    const chain = await makeChain(site, []);
    const [newest = ''] = chain.slice(-1);
    const mapping = [place];
    const expected = await contentOfRestored(site, newest, { mapping });
    const { name, merged } = await merge(site, newest);
    assert.deepEqual(merged, chain.toReversed());
    assert.ok(isWhole(root, name));
    await isShownAsMerged(site, name, merged);
    await server.query("update moving set pad = 'after' where n % 900 = 1");
    await server.query('insert into placed values (0)');
    const { delta, name: top } = await site.push();
    assert.deepEqual([delta?.parent, delta?.source, delta?.count], [name, 'server', 1]);

    removeBackups(site, chain);
    assert.deepEqual(await site.list(), [name, top]);
    assert.deepEqual(await contentOfRestored(site, name, { mapping }), expected);
    const sums = await sumsOfTables(server);
    await archiveEverything(server);
    const moved = scratchPathForServerUser('moved');
    const args = ['LATEST', `--tablespace-mapping=${place}=${moved}`];
    await using restored = await site.restore({ args });
    assert.deepEqual(await sumsOfTables(restored.server), sums);
  });

  it('of a data directory, also after a merge was killed', async () => {
    await using site = await openBackupSite({
      version: 13,
      settings: { autovacuum: 'off' },
      tsbkEnv: DELTAS,
    });
    const { server, root } = site;
    const chain = await makeChain(site, [server.dataDir]);
    const [newest = ''] = chain.slice(-1);
    const sums = await sumsOfTables(server);
    await archiveEverything(server);
    const expected = await contentOfRestored(site, newest, { verify: true });

    const env = { TSBK_FAILPOINT: 'put:3:kill' };
    const killed = await site.tsbk(['backup-merge', newest], { env });
    assert.equal(killed.signal, 'SIGKILL', killed.stderr);
    assert.deepEqual((await site.list()).toSorted(), chain.toSorted());
    const again = await site.tsbk(['backup-merge', newest]);
    assert.match(again.stderr, /is taken: an unfinished backup/);
    assert.equal((await site.tsbk(['st', 'claims', '--remove'])).code, 0);

    const { name } = await merge(site, 'LATEST');
    assert.ok(isWhole(root, name));
    removeBackups(site, chain);
    assert.deepEqual(await contentOfRestored(site, name, { verify: true }), expected);
    await using restored = await site.restore({ args: [name] });
    assert.deepEqual(await sumsOfTables(restored.server), sums);

    await server.query("update moving set pad = 'after' where n % 900 = 1");
    const { delta, name: top } = await site.push([server.dataDir]);
    assert.deepEqual([delta?.parent, delta?.source], [name, 'files']);
    assert.ok([...contentsOf(root, top).values()].includes('skipped'));
    const later = await sumsOfTables(server);
    await archiveEverything(server);
    if (WALG !== '') await comesBackByWalg(site, name, sums);
    if (WALG !== '') await comesBackByWalg(site, top, later);
  });
});

/** Restores by a real wal-g, up to the backup's end. */
async function comesBackByWalg(
  { env, server }: BackupSite,
  name: string,
  sums: Readonly<Record<string, string>>,
): Promise<void> {
  const directory = scratchPathForServerUser('by-walg');
  const fetched = await runWalg(['backup-fetch', directory, name], { env });
  assert.equal(fetched.code, 0, fetched.stderr.slice(-2000));
  const { version } = server;
  await using restored = await startByWalg(directory, { version, env, immediate: true });
  assert.deepEqual(await sumsOfTables(restored), sums);
}
