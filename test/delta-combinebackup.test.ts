/**
 * What `pg_combinebackup` makes of PostgreSQL's own incremental backups, and what tsbk makes of a chain of
 * every source, taken at the same moments, are the same files: but for visibility maps, where ours are right.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseLsn } from '@tsbk/core/kernel/lsn';
import { connectionEnv } from './support/archiving-server.ts';
import { openBackupSite, type BackupSite } from './support/backup-site.ts';
import { contentOfTree } from './support/file-tree.ts';
import { clientTool, scratchPath, scratchPathForServerUser } from './support/postgres.ts';

const VERSION = 17;
const PAGE_BYTES = 8192;
const BEFORE = [
  "create table accounts as select g as n, 0 as balance, repeat('x', 80) as filler from generate_series(1, 20000) g",
  'create index on accounts (n)',
  'create table shrinks as select g as n, md5(g::text) as t from generate_series(1, 20000) g',
  'create table grows as select g as n, md5(g::text) as t from generate_series(1, 2000) g',
  'create table rewritten as select g as n, md5(g::text) as t from generate_series(1, 9000) g',
  'create table dropped as select g as n from generate_series(1, 9000) g',
  'create unlogged table unlogged as select g as n from generate_series(1, 9000) g',
  'vacuum',
];

interface Link {
  /** What takes the delta, where the server's own increment is taken, too. */
  readonly source: 'server' | 'files' | 'summaries' | 'stream';
  readonly work: readonly string[];
}

const LINKS: readonly Link[] = [
  {
    source: 'server',
    work: [
      'update accounts set balance = balance + 1 where n % 5000 = 7',
      'delete from shrinks where n > 5000',
      'vacuum shrinks',
      'insert into grows select g, md5(g::text) from generate_series(2001, 30000) g',
    ],
  },
  {
    source: 'files',
    work: [
      'delete from accounts where n between 300 and 330',
      'insert into shrinks select g, md5(g::text) from generate_series(5001, 9000) g',
      'vacuum full rewritten',
      'drop table dropped',
      'create table made as select generate_series(1, 3000) as n',
    ],
  },
  {
    source: 'summaries',
    work: [
      'insert into accounts select g, 5, md5(g::text) from generate_series(20001, 21000) g',
      'delete from grows where n > 10000',
      'vacuum grows',
      'create database another',
    ],
  },
  { source: 'stream', work: ['update made set n = n + 1 where n < 10', 'truncate rewritten'] },
];

/**
 * Files that two backups of one moment do not have in common: the one that was taken later has had another
 * checkpoint, and each has its own label.
 */
const OWN =
  /^(?:backup_label|backup_manifest|postgresql\.auto\.conf|global\/pg_control|pg_wal\/.*|tablespace_map)$/;

async function filesOf(directory: string): Promise<Record<string, string>> {
  const content = await contentOfTree(directory);
  return Object.fromEntries(Object.entries(content).filter(([path]) => !OWN.test(path)));
}

interface Directories {
  readonly combined: string;
  readonly restored: string;
  /** Of the server, which has changed nothing since but what reading sets. */
  readonly live: string;
}

/**
 * What of a file differs and may not. Reading sets hint bits, which moves a page's LSN beyond the start of our
 * backup, from where on WAL has it. And a bit of a visibility map that is cleared is in no block reference of WAL: PostgreSQL's own
 * increments do not have it, and say that pages are visible to all which are not.
 */
function wrongPages(
  path: string,
  { combined, restored, live }: Directories,
  startLsn: bigint,
): number[] {
  const [theirs, ours, server] = [combined, restored, live].map((directory) =>
    readFileSync(join(directory, path)),
  ) as [Buffer, Buffer, Buffer];
  assert.equal(ours.length, theirs.length, path);
  if (path.endsWith('_vm')) return ours.equals(server) ? [] : [0];
  const pages = Array.from({ length: Math.ceil(ours.length / PAGE_BYTES) }, (_, page) => page);
  return pages.filter((page) => {
    const [mine, other] = [ours, theirs].map((file) => file.subarray(page * PAGE_BYTES)) as [
      Buffer,
      Buffer,
    ];
    if (mine.subarray(0, PAGE_BYTES).equals(other.subarray(0, PAGE_BYTES))) return false;
    return lsnOf(other) <= startLsn;
  });
}

/** A page begins with the position of the last record that changed it. */
function lsnOf(page: Buffer): bigint {
  return (BigInt(page.readUInt32LE(0)) << 32n) | BigInt(page.readUInt32LE(4));
}

function absent(): string | false {
  const combine = clientTool('pg_combinebackup');
  const version = combine === undefined ? '' : execFileSync(combine, ['--version']).toString();
  if (version.includes(`(PostgreSQL) ${VERSION}`)) return false;
  return `pg_combinebackup of PostgreSQL ${VERSION} is not installed`;
}

function runTool(
  name: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): void {
  const run = spawnSync(clientTool(name) ?? '', args, {
    env: { PATH: process.env['PATH'], ...env },
    encoding: 'utf8',
    timeout: 60_000,
  });
  assert.equal(run.status, 0, `${name}: ${run.stderr}`);
}

/** A backup of the server by its own tool: whole, or what changed since another one. */
function baseBackup({ server }: BackupSite, parent?: string): string {
  const directory = scratchPath('base-backup');
  const incremental = parent === undefined ? [] : [`--incremental=${parent}/backup_manifest`];
  const args = [`--pgdata=${directory}`, '--checkpoint=fast', '--no-sync', ...incremental];
  runTool('pg_basebackup', args, connectionEnv(server));
  return directory;
}

test(
  'each link of a chain is byte for byte what pg_combinebackup makes',
  { skip: absent() },
  async () => {
    await using site = await openBackupSite({
      version: VERSION,
      settings: { summarize_wal: 'on', autovacuum: 'off' },
      tsbkEnv: { TSBK_DELTA_MAX_STEPS: '6', TSBK_DELTA_FALLBACK: 'fail' },
    });
    const { server } = site;
    for (const statement of BEFORE) await server.query(statement);
    await site.push();
    const theirs = [baseBackup(site)];
    let stale = 0;
    for (const { source, work } of LINKS) {
      for (const statement of work) await server.query(statement);
      // Nothing may become an older backup's change because it was written late.
      await server.query('checkpoint');
      const place = source === 'files' || source === 'summaries' ? [server.dataDir] : [];
      const { delta, reason, startLsn } = await site.push(place, {
        env: { TSBK_DELTA_SOURCE: source },
      });
      assert.equal(delta?.source, source, reason);
      theirs.push(baseBackup(site, theirs.at(-1)));

      const combined = scratchPath('combined');
      runTool('pg_combinebackup', ['--no-sync', `--output=${combined}`, ...theirs], {});
      const restored = scratchPathForServerUser('restored');
      const fetch = await site.tsbk(['backup-fetch', restored, 'LATEST', '--no-recovery-settings']);
      assert.equal(fetch.code, 0, fetch.stderr);
      const [expected, found] = [await filesOf(combined), await filesOf(restored)];
      assert.ok(Object.keys(expected).length > 900, `${Object.keys(expected).length} files`);
      const isInBoth = (path: string): boolean => path in expected && path in found;
      const differing = Object.keys({ ...expected, ...found }).filter(
        (path) => expected[path] !== found[path],
      );
      assert.deepEqual(
        differing.filter((path) => !isInBoth(path)),
        [],
        source,
      );
      const places = { combined, restored, live: server.dataDir };
      for (const path of differing)
        assert.deepEqual(
          wrongPages(path, places, parseLsn(startLsn) ?? 0n),
          [],
          `${source}: ${path}`,
        );
      // Otherwise this shows nothing of visibility maps.
      stale += differing.filter((path) => path.endsWith('_vm')).length;
      runTool('pg_verifybackup', ['--no-parse-wal', restored], {});
    }
  },
);
