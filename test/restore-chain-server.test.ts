/**
 * Chains that are made of full backups of a live server: what they restore to is known to the byte,
 * the manifest included.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import {
  archiveEverything,
  connectionEnv,
  startArchivingServer,
} from './support/archiving-server.ts';
import { openBackupSite } from './support/backup-site.ts';
import { combineChain } from './support/combine-chain.ts';
import { changeEverything, createChanging, sumOfEverything } from './support/change-everything.ts';
import { deltify, type Kinds, type WholeBackup } from './support/deltify.ts';
import { contentOfTree } from './support/file-tree.ts';
import {
  clientTool,
  scratchPathForServerUser,
  startFrom,
  type PostgresVersion,
} from './support/postgres.ts';
import { openTestStore } from './support/store.ts';
import { verifyManifest } from './support/verify-manifest.ts';
import { installedTsbk, runTsbk, type TsbkRun } from './support/tsbk.ts';

const DELTAS = 2;

function succeed(run: TsbkRun): string {
  assert.equal(run.code, 0, run.stderr.slice(-2000));
  return run.stdout;
}

/** What a restore writes of its own, which tells of the archive and the target. */
const OWN = ['postgresql.auto.conf', 'recovery.signal', 'pg_wal/tsbk_restore.json'];

async function contentOf(directory: string): Promise<Record<string, string>> {
  const content = await contentOfTree(directory);
  return Object.fromEntries(Object.entries(content).filter(([path]) => !OWN.includes(path)));
}

describe('a chain of a live server', () => {
  for (const version of [13] satisfies PostgresVersion[]) {
    test(`is restored to what was backed up: PostgreSQL ${version}`, async () => {
      await using store = await openTestStore('directory');
      const root = store.env['WALG_FILE_PREFIX'] ?? store.env['TSBK_FILE_PREFIX'] ?? '';
      await using primary = await startArchivingServer(store, {
        version,
        settings: { autovacuum: 'off' },
      });
      const env = { ...store.env, TSBK_LANES: '2' };
      const folder = join(root, 'basebackups_005');
      const fulls: WholeBackup[] = [];
      await createChanging(primary);
      for (let round = 0; round <= DELTAS; round += 1) {
        if (round > 0) await changeEverything(primary, round);
        succeed(await runTsbk(['backup-push'], { env: { ...env, ...connectionEnv(primary) } }));
        const known = new Set(fulls.map(({ name }) => name));
        const name =
          readdirSync(folder).find((entry) => /^base_\w{24}$/.test(entry) && !known.has(entry)) ??
          '';
        const directory = scratchPathForServerUser('whole');
        const args = ['backup-fetch', directory, name, '--no-recovery-settings'];
        succeed(await runTsbk(args, { env }));
        fulls.push({ name, directory });
      }
      await primary.query("insert into kept values (0, 'after')");
      const expected = await sumOfEverything(primary);
      await archiveEverything(primary);

      const kinds: Kinds[] = [];
      for (const [index, child] of fulls.entries()) {
        const parent = fulls[index - 1];
        if (parent !== undefined) kinds.push(await deltify(root, { parent, child }));
      }
      assert.ok(
        kinds.every(({ whole, increment, skipped }) => whole > 1 && increment > 3 && skipped > 100),
      );
      const restored = scratchPathForServerUser('chain');
      succeed(await runTsbk(['backup-fetch', restored, 'LATEST'], { env }));
      assert.deepEqual(await contentOf(restored), await contentOf(fulls.at(-1)?.directory ?? ''));
      // That of the machine may be too old for later manifests.
      const tool = version < 17 ? clientTool('pg_verifybackup') : undefined;
      const args = ['--no-parse-wal', '--quiet', '--ignore=postgresql.auto.conf', restored];
      if (tool !== undefined) execFileSync(tool, args);
      await using server = await startFrom(restored, {
        version,
        waitFor: 'end-of-recovery',
        env: { ...installedTsbk().env, ...store.env },
      });
      assert.equal(await sumOfEverything(server), expected);
    });
  }

  test("that the server makes itself has the pages of WAL-G's order, and a manifest that holds", async () => {
    await using site = await openBackupSite({
      version: 17,
      settings: { summarize_wal: 'on', autovacuum: 'off' },
      // The chain is put together by other means from tars as they are.
      tsbkEnv: { WALG_COMPRESSION_METHOD: 'none', TSBK_LANES: '2' },
    });
    const { server } = site;
    const chain: string[] = [];
    await createChanging(server);
    for (let round = 0; round <= DELTAS; round += 1) {
      if (round > 0) await changeEverything(server, round);
      chain.unshift((await site.push(['--delta-max-steps', '5'])).name);
    }
    await server.query("insert into kept values (0, 'after')");
    const expected = await sumOfEverything(server);
    await archiveEverything(server);
    const combined = scratchPathForServerUser('combined');
    combineChain(site.root, chain, { directory: combined });
    await using restored = await site.restore({
      inspect: async (directory) => {
        verifyManifest(directory);
        const ours = await contentOf(directory);
        const theirs = await contentOf(combined);
        delete ours['backup_manifest'];
        assert.deepEqual(ours, theirs);
      },
    });
    assert.equal(await sumOfEverything(restored.server), expected);
  });
});
