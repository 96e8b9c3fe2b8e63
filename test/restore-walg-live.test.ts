/** What tsbk restores from a fresh backup of wal-g is what wal-g restores (`WALG_BIN`). */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { inlineLanes } from '@tsbk/core/lanes/inline';
import { fetchBackup } from '@tsbk/core/restore/fetch';
import { connectionEnv } from './support/archiving-server.ts';
import { giveToServerUser, scratchPath, startPostgres, type Server } from './support/postgres.ts';
import { openDirectory } from './support/walg-cases.ts';
import { runWalg, walgLacks } from './support/walg.ts';

const { signal } = new AbortController();

interface Variant {
  readonly title: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Whether wal-g itself can restore it. */
  readonly walgRestores?: boolean;
}

const VARIANTS: readonly Variant[] = [
  { title: 'as it is by default' },
  { title: 'composed by rating', args: ['--rating-composer'] },
  { title: 'composed by database', args: ['--database-composer'] },
  { title: 'without files metadata', args: ['--without-files-metadata'] },
  {
    title: 'of many parts in zstd',
    env: {
      WALG_COMPRESSION_METHOD: 'zstd',
      WALG_TAR_SIZE_THRESHOLD: '1000000',
      WALG_UPLOAD_DISK_CONCURRENCY: '4',
    },
  },
  {
    title: 'uncompressed, with the dangling dots of 3.0.8',
    env: { WALG_COMPRESSION_METHOD: 'none' },
    walgRestores: false,
  },
];

describe('a backup of wal-g', { skip: walgLacks() }, () => {
  let server: Server;
  let oid: string;

  before(async () => {
    server = await startPostgres({
      version: 15,
      settings: { archive_mode: 'on', archive_command: 'true' },
    });
    const location = scratchPath('tablespace');
    mkdirSync(location);
    giveToServerUser(location);
    await server.query(`create tablespace place location '${location}'`);
    await server.query('create database other');
    await server.query(
      'create table t tablespace place as select n, md5(n::text) from generate_series(1, 9999) n',
    );
    const [row] = await server.query<{ oid: string }>(
      "select oid::text from pg_tablespace where spcname = 'place'",
    );
    oid = row?.oid ?? '';
  });

  after(async () => await server?.close());

  async function walg(
    args: readonly string[],
    env: Readonly<Record<string, string>>,
  ): Promise<void> {
    const run = await runWalg(args, { env: { ...connectionEnv(server), ...env } });
    assert.equal(run.code, 0, run.stderr.slice(-2000));
  }

  function owned(kind: string): string {
    const path = scratchPath(kind);
    mkdirSync(path);
    giveToServerUser(path);
    return path;
  }

  async function push({ args = [], env = {} }: Variant): Promise<string> {
    const root = owned('repository');
    await server.query('select pg_switch_wal()');
    await walg(['backup-push', server.dataDir, ...args], { WALG_FILE_PREFIX: root, ...env });
    await server.query('select pg_switch_wal()');
    const folder = join(server.dataDir, 'pg_wal');
    const segments = readdirSync(folder).filter((name) => /^[0-9A-F]{24}$/.test(name));
    mkdirSync(join(root, 'wal_005'), { recursive: true });
    for (const name of segments.toSorted().slice(0, -1)) {
      cpSync(join(folder, name), join(root, 'wal_005', name));
    }
    giveToServerUser(root);
    return root;
  }

  /** Names, modes and contents. */
  function tree(directory: string): string[] {
    const listing =
      'find . -type f -exec sha256sum {} + ; find . -mindepth 1 -type d -printf "%p %m\\n"';
    const text = execFileSync('sh', ['-c', listing], { cwd: directory, encoding: 'utf8' });
    return text.trim().split('\n').toSorted();
  }

  for (const variant of VARIANTS) {
    test(variant.title, async () => {
      const root = await push(variant);
      const destination = scratchPath('ours');
      const ours = `${destination}-ts`;
      const repository = await openDirectory(root);
      const { files } = await fetchBackup(
        { repository, lanes: inlineLanes(repository, 3) },
        {
          backup: 'LATEST',
          destination,
          target: { kind: 'latest' },
          timeline: 'latest',
          action: 'promote',
          standby: false,
          restoreCommand: 'false',
          writeRecoverySettings: false,
          tablespaceMapping: [{ from: oid, to: ours }],
          segmentBytes: 16 * 1024 * 1024,
          fsync: false,
        },
        { signal, report: () => {} },
      );
      assert.ok(files > 900);
      if (variant.walgRestores === false) return;
      const [data, tablespace] = [owned('theirs'), owned('theirs-ts')];
      const spec = `${data}.json`;
      const entry = { loc: tablespace, link: `pg_tblspc/${oid}` };
      writeFileSync(spec, JSON.stringify({ base_prefix: data, tablespaces: [oid], [oid]: entry }));
      await walg(['backup-fetch', data, 'LATEST', '--restore-spec', spec], {
        WALG_FILE_PREFIX: root,
        ...variant.env,
      });
      assert.deepEqual(tree(ours), tree(tablespace));
      // What wal-g leaves to the operator, and the map that must name the new locations.
      const added = [
        './pg_wal/archive_status 700',
        './pg_wal/tsbk_restore.json',
        './tablespace_map',
      ];
      const isAdded = (line: string): boolean => added.some((end) => line.endsWith(end));
      assert.deepEqual(
        tree(destination).filter((line) => !isAdded(line)),
        tree(data).filter((line) => !isAdded(line)),
      );
    });
  }
});
