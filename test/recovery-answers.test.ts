/**
 * What servers make of the answers of `tsbk-archive-get`: no fault of the archive may ever end a
 * recovery as if there were no more WAL, and none may be for good.
 */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { archiveEverything, startArchivingServer } from './support/archiving-server.ts';
import { openBreakableArchive, type BreakableArchive } from './support/breakable-archive.ts';
import { eventually } from './support/eventually.ts';
import {
  giveToServerUser,
  scratchPath,
  startFrom,
  type PostgresVersion,
  type Server,
  type StartFromOptions,
} from './support/postgres.ts';
import { copyCluster } from './support/postgres/cluster.ts';
import { hotCopy } from './support/postgres/hot-copy.ts';
import type { StoreKind } from './support/store.ts';
import { installedTsbk } from './support/tsbk.ts';
import { getWal, serverFolder } from './support/wal-commands.ts';
import { writeWalFile } from './support/wal-file.ts';

/** Rows that are archived after the copy, one a segment. */
const ROWS = [1, 2, 3] as const;

/** An archive, and a copy of the server's directory from before the first row. */
class Site {
  readonly version: PostgresVersion;
  readonly archive: BreakableArchive;
  /** Names of the segments with the rows. */
  readonly segments: readonly string[];
  readonly #copy: string;

  private constructor(
    version: PostgresVersion,
    archive: BreakableArchive,
    { copy, segments }: { readonly copy: string; readonly segments: readonly string[] },
  ) {
    this.version = version;
    this.archive = archive;
    this.segments = segments;
    this.#copy = copy;
  }

  static async open(version: PostgresVersion, kind: StoreKind): Promise<Site> {
    const archive = await openBreakableArchive(kind);
    await using primary = await startArchivingServer(archive, { version, walSegmentMb: 1 });
    await primary.query('create table rows (n int)');
    const copy = await hotCopy(primary, 'copy');
    const segments: string[] = [];
    for (const n of ROWS) {
      await primary.query('insert into rows values ($1)', [n]);
      segments.push(await archiveEverything(primary));
    }
    await primary.query("select pg_create_restore_point('after all rows')");
    await archiveEverything(primary);
    return new Site(version, archive, { copy, segments });
  }

  segment(row: number): string {
    return this.segments[row - 1] ?? assert.fail();
  }

  /** A fresh copy of the directory, to recover or to be a standby. */
  directory(kind: 'recovery' | 'standby' = 'recovery'): string {
    const directory = scratchPath(kind);
    copyCluster(this.#copy, directory);
    writeFileSync(join(directory, `${kind}.signal`), '');
    giveToServerUser(directory);
    return directory;
  }

  /** Starts a server on a directory, with `restore_command`. The directory stays. */
  start(
    directory: string,
    { env, settings, ...options }: Partial<StartFromOptions> = {},
  ): Promise<Server> {
    const installed = installedTsbk();
    return startFrom(directory, {
      version: this.version,
      waitFor: 'end-of-recovery',
      keep: true,
      ...options,
      env: { ...installed.env, ...this.archive.env, TSBK_GET_PATIENCE: '1ms', ...env },
      settings: {
        restore_command: `${installed.archiveGet} %f %p`,
        wal_retrieve_retry_interval: '200ms',
        ...settings,
      },
    });
  }

  /** The server must stop, and the directory must still wait for the rest of its recovery. */
  async stops(
    directory: string,
    message: RegExp,
    options: Partial<StartFromOptions> = {},
  ): Promise<void> {
    await assert.rejects(async () => {
      await using server = await this.start(directory, options);
      assert.fail(`the server opened with the rows ${(await rowsOf(server)).join(', ')}`);
    }, message);
    assert.ok(existsSync(join(directory, 'recovery.signal')));
    const histories = readdirSync(join(directory, 'pg_wal')).filter((name) =>
      name.endsWith('.history'),
    );
    assert.deepEqual(histories, []);
  }

  /** The server must promote itself and have these rows. */
  async completes(
    directory: string,
    rows: readonly number[] = ROWS,
    options: Partial<StartFromOptions> = {},
  ): Promise<void> {
    await using server = await this.start(directory, options);
    assert.deepEqual(await rowsOf(server), rows);
    const history = readFileSync(join(directory, 'pg_wal/00000002.history'), 'utf8');
    assert.match(history, /^1\t/);
  }
}

async function rowsOf(server: Server): Promise<number[]> {
  const rows = await server.query<{ n: number }>('select n from rows order by n');
  return rows.map(({ n }) => n);
}

async function untilRows(server: Server, rows: readonly number[]): Promise<void> {
  const look = async (): Promise<true | undefined> => {
    const found = await rowsOf(server).catch(() => []);
    return found.join() === rows.join() ? true : undefined;
  };
  await eventually(`rows ${rows.join(', ')}`, look, 60_000);
}

const STOPPED =
  /FATAL: {2}could not restore file "[0-9A-Za-z.]+" from archive: child process exited with exit code 200/;

const SITES: readonly (readonly [PostgresVersion, StoreKind])[] = [
  [13, 'directory'],
  [15, 's3'],
  [17, 'directory'],
  [18, 'directory'],
];

describe('recovery', { concurrency: 2 }, () => {
  for (const [version, kind] of SITES) {
    const title = `of PostgreSQL ${version} from ${kind === 's3' ? 'S3' : 'a directory'}`;
    describe(title, { concurrency: 1 }, () => {
      let site: Site;
      before(async () => {
        site = await Site.open(version, kind);
      });
      after(() => site.archive[Symbol.asyncDispose]());

      it('stops at an outage, at damage and at a loss, and each time a restart goes on, to the end', async () => {
        const { archive } = site;
        const directory = site.directory();
        archive.breakAt(site.segment(1));
        await site.stops(directory, STOPPED);
        archive.heal();
        archive.damage(site.segment(2));
        await site.stops(directory, STOPPED);
        archive.heal();
        // What a restore leaves, so that what was there then is missed.
        const ranges = [{ first: site.segment(1), last: site.segment(3) }];
        const mark = { version: 1, segment_bytes: 1024 * 1024, histories: [], ranges };
        writeFileSync(join(directory, 'pg_wal/tsbk_restore.json'), JSON.stringify(mark));
        archive.hide(site.segment(3));
        await site.stops(directory, STOPPED);
        archive.heal();
        await site.completes(directory);
      });

      // The target is the server's affair, not the store's.
      if (kind === 'directory') {
        it('to a target stops when the archive ends before it, and goes on when the rest is back', async () => {
          const directory = site.directory();
          const target = {
            recovery_target_name: 'after all rows',
            recovery_target_action: 'promote',
          };
          site.archive.endBefore(site.segment(2));
          const unreached = /recovery ended before configured recovery target was reached/;
          await site.stops(directory, unreached, { settings: target });
          site.archive.heal();
          await site.completes(directory, ROWS, { settings: target });
        });
      }

      it('of a standby outlives an outage and damage, catches up by itself, and can be promoted', async () => {
        const directory = site.directory('standby');
        site.archive.breakAt(site.segment(2));
        site.archive.damage(site.segment(3));
        await using standby = await site.start(directory, { waitFor: 'connections' });
        await untilRows(standby, [1]);
        const failures = (): number =>
          readFileSync(standby.logFile, 'utf8').split('tsbk-archive-get: ').length;
        const look = async (): Promise<true | undefined> => (failures() > 6 ? true : undefined);
        await eventually('three failures', look, 60_000);
        assert.deepEqual(await rowsOf(standby), [1]);
        site.archive.heal();
        await untilRows(standby, ROWS);
        await standby.query('select pg_promote()');
        await standby.query('insert into rows values (99)');
      });
    });
  }

  describe('of PostgreSQL 17', { concurrency: 1 }, () => {
    let site: Site;
    before(async () => {
      site = await Site.open(17, 'directory');
    });
    after(() => site.archive[Symbol.asyncDispose]());

    it('ends where the archive provably ends, with every row', async () => {
      await site.completes(site.directory());
    });

    it('stops at an outage wherever it is, the last question included', async () => {
      const names = ['00000002.history', ...site.segments, nextOf(site.segment(3), 2)];
      for (const name of names) {
        const directory = site.directory();
        site.archive.breakAt(name);
        await site.stops(directory, STOPPED);
        site.archive.heal();
      }
    });

    const faults: Readonly<Record<string, Readonly<Record<string, string>>>> = {
      'a program that is killed': { TSBK_FAILPOINT: 'get:1:kill' },
      'a program that never ends its work': { TSBK_FAILPOINT: 'get:1:hang' },
      'a missing interpreter': { TSBK_NODE: '/no/such/node' },
      'a setting that is wrong': { TSBK_GET_PATIENCE: 'soon' },
      'a repository that is not mounted': { WALG_FILE_PREFIX: '/no/such/directory' },
      'an unexpected key': { WALG_LIBSODIUM_KEY: 'k'.repeat(32) },
    };
    for (const [title, env] of Object.entries(faults)) {
      it(`stops at ${title}`, async () => {
        const directory = site.directory();
        await site.stops(directory, STOPPED, { env });
      });
    }

    it('stops at WAL of another cluster, which PostgreSQL would take for the end', async () => {
      const name = site.segment(3);
      const root = site.archive.env['WALG_FILE_PREFIX'] ?? '';
      const fetched = join(serverFolder('fetched'), 'x');
      assert.equal((await getWal([name, fetched], site.archive.env)).code, 0);
      const content = readFileSync(fetched);
      content.writeBigUInt64LE(42n, 24);
      site.archive.hide(name);
      const uncompressed = writeWalFile(join(root, 'wal_005'), name, content);
      const directory = site.directory();
      await site.stops(directory, STOPPED);
      rmSync(uncompressed);
      site.archive.heal();
      await site.completes(directory);
    });

    it('stops at a segment that is missing where the archive goes on, and not where it ends', async () => {
      const directory = site.directory();
      site.archive.hide(site.segment(3));
      await site.stops(directory, STOPPED);
      site.archive.heal();
      site.archive.endBefore(site.segment(3));
      await site.completes(directory, [1, 2]);
      site.archive.heal();
    });

    it('of a standby follows a timeline whose history was not there when it asked before', async () => {
      await using standby = await site.start(site.directory('standby'), { waitFor: 'connections' });
      await untilRows(standby, ROWS);
      const { archivePush } = installedTsbk();
      const archiving = { archive_mode: 'on', archive_command: `${archivePush} %p` };
      await using promoted = await site.start(site.directory(), { settings: archiving });
      await promoted.query('insert into rows values (4)');
      const last = await archiveEverything(promoted);
      assert.equal(last.slice(0, 8), '00000002');
      await untilRows(standby, [...ROWS, 4]);
    });
  });
});

/** Name of the segment `count` after this one, within its 16 digits. */
function nextOf(name: string, count: number): string {
  const number = Number.parseInt(name.slice(16), 16) + count;
  return `${name.slice(0, 16)}${number.toString(16).toUpperCase().padStart(8, '0')}`;
}
