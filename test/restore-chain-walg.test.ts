/** Chains of deltas that a real wal-g made (`WALG_BIN`): tsbk restores what wal-g itself restores. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { connectionEnv, archiveEverything } from './support/archiving-server.ts';
import { changeEverything, createChanging, sumOfEverything } from './support/change-everything.ts';
import { contentOfTree } from './support/file-tree.ts';
import {
  clientTool,
  scratchPathForServerUser,
  startFrom,
  startPostgres,
  type PostgresVersion,
} from './support/postgres.ts';
import { openTestStore } from './support/store.ts';
import { installedTsbk, runTsbk, type TsbkRun } from './support/tsbk.ts';
import { runWalg, WALG, walgLacks } from './support/walg.ts';

const DELTAS = 3;

/** A key for tests. It protects nothing. */
const SODIUM = {
  WALG_LIBSODIUM_KEY: `${'00'.repeat(31)}2b`,
  WALG_LIBSODIUM_KEY_TRANSFORM: 'hex',
};

interface Flavour {
  readonly title: string;
  readonly version: PostgresVersion;
  readonly env: Readonly<Record<string, string>>;
}

const FLAVOURS: readonly Flavour[] = [
  {
    title: 'lz4, small tars',
    version: 17,
    env: { WALG_COMPRESSION_METHOD: 'lz4', WALG_TAR_SIZE_THRESHOLD: '4000000' },
  },
  { title: 'under libsodium', version: 13, env: { WALG_COMPRESSION_METHOD: 'lz4', ...SODIUM } },
  {
    title: 'all on the full one',
    version: 18,
    env: { WALG_COMPRESSION_METHOD: 'zstd', WALG_DELTA_ORIGIN: 'LATEST_FULL' },
  },
];

function succeed(run: TsbkRun): void {
  assert.equal(run.code, 0, run.stderr.slice(-2000));
}

/** What a restore adds, or leaves to the operator. */
const OWN = /^(?:pg_wal\/.*|recovery\.signal|postgresql\.auto\.conf)$/;

async function contentOf(directory: string): Promise<Readonly<Record<string, string>>> {
  const content = await contentOfTree(directory);
  return Object.fromEntries(Object.entries(content).filter(([path]) => !OWN.test(path)));
}

describe('a chain of wal-g', () => {
  for (const { title, version, env: extra } of FLAVOURS) {
    test(`${title}, PostgreSQL ${version}`, { skip: walgLacks(extra) }, async () => {
      await using store = await openTestStore('directory');
      const env = { ...store.env, ...extra, WALG_DELTA_MAX_STEPS: '5' };
      await using primary = await startPostgres({
        version,
        archiveCommand: `${WALG} wal-push %p`,
        settings: { autovacuum: 'off' },
        env,
      });
      const push = async (): Promise<void> => {
        const environment = { ...env, ...connectionEnv(primary) };
        succeed(await runWalg(['backup-push', primary.dataDir], { env: environment }));
      };
      await createChanging(primary);
      await push();
      for (let round = 1; round <= DELTAS; round += 1) {
        await changeEverything(primary, round);
        await push();
      }
      await primary.query("insert into kept values (0, 'after')");
      const expected = await sumOfEverything(primary);
      await archiveEverything(primary);

      const plan = await runTsbk(['backup-fetch', '/nowhere/at/all', 'LATEST', '--plan'], { env });
      assert.match(plan.stdout, /^on top of +base_/m);
      const ours = scratchPathForServerUser('by-tsbk');
      succeed(await runTsbk(['backup-fetch', ours, 'LATEST'], { env }));
      const theirs = scratchPathForServerUser('by-walg');
      succeed(await runWalg(['backup-fetch', theirs, 'LATEST'], { env }));
      const content = await contentOf(ours);
      assert.deepEqual(content, await contentOf(theirs));
      await using restored = await startFrom(ours, {
        version,
        waitFor: 'end-of-recovery',
        env: { ...installedTsbk().env, ...env },
      });
      assert.equal(await sumOfEverything(restored), expected);
      await isMerged({ env, version, root: store.env['WALG_FILE_PREFIX'] ?? '' }, content);
    });
  }
});

/** Merges the chain, which is taken away then; tsbk and wal-g restore `content` from the merged one. */
async function isMerged(
  site: {
    readonly env: Readonly<Record<string, string>>;
    readonly version: PostgresVersion;
    readonly root: string;
  },
  content: Readonly<Record<string, string>>,
): Promise<void> {
  const { env, version, root } = site;
  const folder = join(root, 'basebackups_005');
  const chain = readdirSync(folder).filter((name) => name.endsWith('_backup_stop_sentinel.json'));
  succeed(await runTsbk(['backup-merge', 'LATEST'], { env }));
  for (const sentinel of chain) {
    rmSync(join(folder, sentinel));
    rmSync(join(folder, sentinel.replace(/_backup_stop_sentinel\.json$/, '')), { recursive: true });
  }
  const ours = scratchPathForServerUser('merged');
  succeed(await runTsbk(['backup-fetch', ours, 'LATEST', '--no-recovery-settings'], { env }));
  const tool = version < 17 ? clientTool('pg_verifybackup') : undefined;
  if (tool !== undefined) execFileSync(tool, ['--no-parse-wal', '--quiet', ours]);
  const theirs = scratchPathForServerUser('merged-by-walg');
  succeed(await runWalg(['backup-fetch', theirs, 'LATEST'], { env }));
  for (const directory of [ours, theirs]) {
    const found = { ...(await contentOf(directory)) };
    delete found['backup_manifest'];
    assert.deepEqual(found, content);
  }
}
