/** Chains of deltas that PostgreSQL made and tsbk stored, restored by a real `wal-g` (`WALG_BIN`). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  archiveEverything,
  connectionEnv,
  startArchivingServer,
} from './support/archiving-server.ts';
import { scratchPathForServerUser, type PostgresVersion, type Server } from './support/postgres.ts';
import { openTestStore, type StoreKind } from './support/store.ts';
import { runTsbk } from './support/tsbk.ts';
import { runWalg, startByWalg, walgLacks } from './support/walg.ts';

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
  { version: 18, store: 's3', env: { WALG_COMPRESSION_METHOD: 'zstd', ...SODIUM } },
];

const BEFORE = [
  "create table kept as select g as n, 'row ' || g || repeat(md5(g::text), g % 9) as t from generate_series(1, 20000) g",
  'create index on kept (n)',
  'create table dropped as select generate_series(1, 9000) as n',
  'vacuum',
];

const STEPS_OF_WORK: readonly (readonly string[])[] = [
  [
    "update kept set t = 'changed ' || n where n % 1000 = 3",
    'delete from kept where n > 15000',
    'vacuum kept',
    'drop table dropped',
  ],
  [
    "insert into kept select g, 'new ' || g from generate_series(15001, 26000) g",
    'create database another',
    'delete from kept where n between 10 and 20',
  ],
];

/** By the heap and by the index, page by page: checksums are on. */
async function sum(server: Server): Promise<string> {
  const [row] = await server.query<{ sum: string }>(
    "select count(*) || md5(string_agg(n || t, '' order by n)) as sum from kept",
  );
  await server.query('set enable_seqscan = off');
  const [one] = await server.query<{ t: string }>('select t from kept where n = 1003');
  return `${row?.sum} ${one?.t}`;
}

describe('a chain of deltas that a server made', () => {
  for (const { version, store: kind, env: codec } of FLAVOURS) {
    const skip = walgLacks(codec);
    const sealed = 'WALG_LIBSODIUM_KEY' in codec ? ' under libsodium' : '';
    const how = `PostgreSQL ${version}, ${codec['WALG_COMPRESSION_METHOD']}${sealed}, ${kind}`;
    test(`is restored by wal-g in both of its ways: ${how}`, { skip }, async () => {
      await using store = await openTestStore(kind);
      const env = { ...store.env, ...codec };
      await using primary = await startArchivingServer(
        { ...store, env },
        { version, settings: { summarize_wal: 'on' } },
      );
      for (const statement of BEFORE) await primary.query(statement);
      const push = async (): Promise<{ delta?: { source: string }; name: string }> => {
        const args = ['backup-push', '--json', '--delta-max-steps', '3'];
        const run = await runTsbk(args, { env: { ...env, ...connectionEnv(primary) } });
        assert.equal(run.code, 0, run.stderr);
        return JSON.parse(run.stdout) as { delta?: { source: string }; name: string };
      };
      assert.equal((await push()).delta, undefined);
      for (const work of STEPS_OF_WORK) {
        for (const statement of work) await primary.query(statement);
        assert.equal((await push()).delta?.source, 'server');
      }
      await primary.query(
        "insert into kept select g, 'after' from generate_series(30001, 31000) g",
      );
      const expected = await sum(primary);
      await archiveEverything(primary);

      for (const mode of [[], ['--reverse-unpack', '--skip-redundant-tars']]) {
        const directory = scratchPathForServerUser('by-walg');
        const args = ['backup-fetch', directory, 'LATEST', ...mode];
        const run = await runWalg(args, { env });
        assert.equal(run.code, 0, run.stderr.slice(-2000));
        await using restored = await startByWalg(directory, { version, env });
        assert.equal(await sum(restored), expected);
      }
    });
  }
});
