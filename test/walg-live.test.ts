/**
 * Both directions against a real `wal-g`, whose path `WALG_BIN` gives: what tsbk writes wal-g restores,
 * and the reverse, base backups and WAL, by rows of a started server.
 */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import {
  archiveEverything,
  connectionEnv,
  startArchivingServer,
} from './support/archiving-server.ts';
import {
  giveToServerUser,
  scratchPath,
  scratchPathForServerUser,
  startFrom,
  startPostgres,
  type PostgresVersion,
  type Server,
} from './support/postgres.ts';
import { openTestStore, type StoreKind } from './support/store.ts';
import { installedTsbk, runCommand, runTsbk, type TsbkRun } from './support/tsbk.ts';
import { runWalg, startByWalg, WALG, walgLacks } from './support/walg.ts';

const ROWS = `create table kept as
  select g as n, 'řádek ' || g || repeat(md5(g::text), g % 20) as t from generate_series(1, 20000) g`;

/** A key for tests. It protects nothing. */
const SODIUM = {
  WALG_LIBSODIUM_KEY: '00'.repeat(31) + '2a',
  WALG_LIBSODIUM_KEY_TRANSFORM: 'hex',
};

interface Flavour {
  readonly version: PostgresVersion;
  readonly store: StoreKind;
  readonly env: Readonly<Record<string, string>>;
}

const FLAVOURS: readonly Flavour[] = [
  { version: 17, store: 'directory', env: { WALG_COMPRESSION_METHOD: 'lz4' } },
  { version: 18, store: 's3', env: { WALG_COMPRESSION_METHOD: 'zstd' } },
  { version: 13, store: 'directory', env: { WALG_COMPRESSION_METHOD: 'brotli' } },
  { version: 16, store: 'directory', env: { WALG_COMPRESSION_METHOD: 'none' } },
  { version: 15, store: 's3', env: { WALG_COMPRESSION_METHOD: 'lz4', ...SODIUM } },
];

function title({ version, store, env }: Flavour): string {
  const sealed = 'WALG_LIBSODIUM_KEY' in env ? ' under libsodium' : '';
  return `PostgreSQL ${version}, ${env['WALG_COMPRESSION_METHOD']}${sealed}, ${store}`;
}

async function sum(server: Server): Promise<string> {
  const [row] = await server.query<{ sum: string }>(
    "select count(*) || md5(string_agg(n || t, '' order by n)) as sum from kept",
  );
  return row?.sum ?? '';
}

function succeed(run: TsbkRun): void {
  assert.equal(run.code, 0, run.stderr.slice(-2000));
}

describe('what tsbk writes', () => {
  for (const flavour of FLAVOURS) {
    const skip = walgLacks(flavour.env);
    test(`is restored by wal-g: ${title(flavour)}`, { skip }, async () => {
      await using store = await openTestStore(flavour.store);
      const env = { ...store.env, ...flavour.env };
      await using primary = await startArchivingServer(
        { ...store, env },
        { version: flavour.version },
      );
      await primary.query(ROWS);
      succeed(await runTsbk(['backup-push'], { env: { ...env, ...connectionEnv(primary) } }));
      await primary.query(
        "insert into kept select g, 'after' from generate_series(20001, 21000) g",
      );
      const expected = await sum(primary);
      await archiveEverything(primary);
      const list = await runWalg(['backup-list', '--detail'], { env });
      assert.match(list.stdout, /base_0000000100000000/);
      for (const mode of [[], ['--reverse-unpack', '--skip-redundant-tars']]) {
        const directory = scratchPathForServerUser('by-walg');
        succeed(await runWalg(['backup-fetch', directory, 'LATEST', ...mode], { env }));
        await using restored = await startByWalg(directory, { version: flavour.version, env });
        assert.equal(await sum(restored), expected);
      }
    });
  }
});

describe('what wal-g writes', () => {
  for (const flavour of FLAVOURS) {
    const skip = walgLacks(flavour.env);
    const how = `base backup of the data directory: ${title(flavour)}`;
    test(`is restored by tsbk, ${how}`, { skip }, async () => {
      await using store = await openTestStore(flavour.store);
      const env = { ...store.env, ...flavour.env };
      await using primary = await startPostgres({
        version: flavour.version,
        archiveCommand: `${WALG} wal-push %p`,
        env,
      });
      await checkFromWalg({ primary, env, flavour, args: ['backup-push', primary.dataDir] });
    });
  }

  const skip = walgLacks();
  test('is restored by tsbk, base backup over the protocol: PostgreSQL 14', { skip }, async () => {
    await using store = await openTestStore('directory');
    await using primary = await startPostgres({
      version: 14,
      archiveCommand: `${WALG} wal-push %p`,
      env: store.env,
    });
    const flavour = { version: 14, store: 'directory', env: {} } as const;
    await checkFromWalg({ primary, env: store.env, flavour, args: ['backup-push'] });
  });
});

async function checkFromWalg(given: {
  readonly primary: Server;
  readonly env: Readonly<Record<string, string>>;
  readonly flavour: Flavour;
  readonly args: readonly string[];
}): Promise<void> {
  const { primary, env, flavour } = given;
  await primary.query(ROWS);
  const pushed = await runWalg(given.args, { env: { ...env, ...connectionEnv(primary) } });
  succeed(pushed);
  await primary.query("insert into kept select g, 'after' from generate_series(20001, 21000) g");
  const expected = await sum(primary);
  await archiveEverything(primary);
  const directory = scratchPathForServerUser('by-tsbk');
  succeed(await runTsbk(['backup-fetch', directory, 'LATEST'], { env }));
  await using restored = await startFrom(directory, {
    version: flavour.version,
    waitFor: 'end-of-recovery',
    env: { ...installedTsbk().env, ...env },
  });
  assert.equal(await sum(restored), expected);
}

describe('WAL files', () => {
  for (const method of ['lz4', 'zstd', 'brotli', 'none']) {
    const skip = walgLacks({ WALG_COMPRESSION_METHOD: method });
    test(`travel in both directions: ${method}`, { skip }, async () => {
      await using store = await openTestStore('directory');
      await using server = await startArchivingServer(
        { ...store, env: { ...store.env, WALG_COMPRESSION_METHOD: method } },
        { version: 17 },
      );
      const env = { ...store.env, WALG_COMPRESSION_METHOD: method };
      await server.query(ROWS);
      const name = await archiveEverything(server);
      const folder = scratchPath('wal');
      mkdirSync(folder);
      giveToServerUser(folder);
      const byWalg = join(folder, 'by-walg');
      succeed(await runWalg(['wal-fetch', name, byWalg], { env }));
      const byTsbk = join(folder, 'by-tsbk');
      succeed(await runCommand(installedTsbk().archiveGet, [name, byTsbk], { env }));
      const compared = await runCommand('/usr/bin/cmp', [byWalg, byTsbk]);
      assert.equal(compared.code, 0, compared.stdout);

      await using other = await openTestStore('directory');
      const otherEnv = { ...other.env, WALG_COMPRESSION_METHOD: method };
      const segment = join(folder, name);
      succeed(await runCommand('/bin/cp', [byWalg, segment]));
      succeed(await runWalg(['wal-push', segment], { env: otherEnv }));
      const back = join(folder, 'back');
      succeed(await runCommand(installedTsbk().archiveGet, [name, back], { env: otherEnv }));
      assert.equal((await runCommand('/usr/bin/cmp', [back, byWalg])).code, 0);
      // What wal-g stored is recognised as the same, whatever its compression made of it.
      succeed(await runCommand(installedTsbk().archivePush, [segment], { env: otherEnv }));
      assert.equal(existsSync(back), true);
    });
  }
});
