/**
 * Whatever ends a backup, in whatever moment, leaves nothing that looks like one. What cannot even
 * begin: backup-refusals.test.ts.
 */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { siteOf, type BackupSite } from './support/backup-site.ts';
import { eventually } from './support/eventually.ts';
import { treeOf } from './support/file-tree.ts';
import { giveToServerUser, startPostgres, startStandby, type Server } from './support/postgres.ts';
import { provenWhole } from './support/proven-whole.ts';
import { refused } from './support/refused.ts';
import { openTestStore } from './support/store.ts';
import { startTinyServer, type TinyServer } from './support/tiny-server.ts';
import type { TsbkRun } from './support/tsbk.ts';

/** A backup of the tiny server makes fewer calls of any kind. */
const CALLS_MAX = 30;

/** With it each call of every kind is tried, and more moments: minutes instead of seconds. */
const IS_LONG = process.env['TSBK_TEST_LONG'] === '1';

/** Two seconds and more for a backup, so that something may happen meanwhile. */
const SLOW = { TSBK_DISK_RATE_LIMIT: '4MiB' };

let tiny: TinyServer;
before(async () => {
  tiny = await startTinyServer({ hba: ['local replication postgres,walker trust'] });
  await tiny.server.query('create role walker login replication');
});
after(async () => tiny.server.close());

/** Names of the backups that have a sentinel, in order. */
function sentinels(site: BackupSite): string[] {
  return backupObjects(site)
    .map((path) => /^basebackups_005\/(base_\w+)_backup_stop_sentinel\.json$/.exec(path)?.[1])
    .filter((name) => name !== undefined)
    .sort();
}

/** The next call at which something happens; of the later ones every third, but in a long test. */
function nextCall(call: number): number {
  return IS_LONG || call < 4 ? call + 1 : call + 3;
}

/** Objects of backups, finished and unfinished ones, and what unfinished writes left. */
function backupObjects({ root }: BackupSite): string[] {
  const files = treeOf(root).filter(({ kind }) => kind === 'file');
  return files.map(({ path }) => path).filter((path) => path.startsWith('basebackups_005/'));
}

function failAt(point: string, call: number, action: string): Readonly<Record<string, string>> {
  return { TSBK_FAILPOINT: `${point}:${call}:${action}` };
}

async function noWalsenderIsLeft(server: Server): Promise<void> {
  await eventually('the end of the walsenders', async () => {
    const rows = await server.query(
      "select from pg_stat_activity where backend_type = 'walsender'",
    );
    return rows.length === 0 || undefined;
  });
}

async function restoredRows(site: BackupSite, name: string): Promise<number | undefined> {
  await using restored = await site.restore({ args: [name, '--target-immediate'] });
  const [row] = await restored.server.query<{ n: number }>('select count(*)::int as n from rows');
  return row?.n;
}

describe('a backup that is killed', { concurrency: 3 }, () => {
  /** One call after the other, until there are no more; the repository keeps what each run left. */
  async function sweep(site: BackupSite, point: string): Promise<number> {
    let known: readonly string[] = [];
    let killed = 0;
    // The first run of all writes the repository's mark, too: its first call happens twice.
    for (let call = 0; call < CALLS_MAX; call = point === 'put' ? call + 1 : nextCall(call)) {
      const { code, signal, stderr } = await site.tsbk(['backup-push'], {
        env: failAt(point, Math.max(1, call), 'kill'),
      });
      const present = sentinels(site);
      const made = present.filter((name) => !known.includes(name));
      for (const name of made) await provenWhole(site.root, name);
      if (code === 0) {
        assert.equal(made.length, 1);
        assert.deepEqual((await site.list()).sort(), present);
        return killed;
      }
      assert.equal(signal, 'SIGKILL', stderr);
      // A sentinel is put, and then only the claim removed.
      assert.ok(made.length === 0 || ['put-done', 'remove', 'remove-done'].includes(point));
      known = present;
      killed += 1;
    }
    throw new Error(`there are more than ${CALLS_MAX} calls`);
  }

  for (const [point, least] of [
    ['put', 9],
    ['put-done', 5],
    ['get', 2],
    ['list', 2],
    ['stat', 3],
    ['upload', 2],
    ['upload-done', 2],
    ['part', 3],
    ['part-done', 3],
    ['complete', 2],
    ['complete-done', 2],
    ['remove', 2],
    ['remove-done', 2],
  ] as const) {
    it(`at any ${point} is none or whole, and does not stand in the way of the next`, async () => {
      const site = tiny.repository();
      const killed = await sweep(site, point);
      assert.ok(killed >= least, `${killed} runs were killed`);
      if (point === 'put') {
        const name = (await site.list()).at(-1) ?? '';
        assert.equal(await restoredRows(site, name), 1000);
      }
    });
  }
});

describe('a backup that fails', { concurrency: 3 }, () => {
  for (const point of ['put', 'upload', 'part', 'complete']) {
    it(`at any ${point} says so and removes what it stored`, async () => {
      const site = tiny.repository();
      for (let call = 1; call < CALLS_MAX; call = nextCall(call)) {
        const run = await site.tsbk(['backup-push'], { env: failAt(point, call, 'throw') });
        if (run.code === 0) {
          assert.ok(call > 1);
          return;
        }
        refused(run, 1, 'store-failed', `the failpoint at ${point} was hit`);
        assert.deepEqual(backupObjects(site), []);
      }
      assert.fail('there are more calls');
    });
  }

  it('only to give its name back is a success with a warning', async () => {
    const site = tiny.repository();
    const run = await site.tsbk(['backup-push'], { env: failAt('remove', 1, 'throw') });
    assert.equal(run.code, 0, run.stderr);
    assert.match(run.stderr, /^warning: .*\[claim-left\]$/m);
    const [name = ''] = await site.list();
    await provenWhole(site.root, name);
  });
});

describe('a backup that is asked to stop', { concurrency: 3 }, () => {
  for (const point of ['get', 'put', 'upload', 'part', 'complete-done']) {
    it(`at any ${point} cleans up and ends with 143`, async () => {
      const site = tiny.repository();
      for (let call = 1; call < CALLS_MAX; call = nextCall(call)) {
        const run = await site.tsbk(['backup-push'], { env: failAt(point, call, 'term') });
        if (run.code === 0) return;
        refused(run, 143, 'interrupted', 'stopped by SIGTERM');
        assert.deepEqual(backupObjects(site), []);
      }
      assert.fail('there are more calls');
    });
  }

  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    it(`at any moment by ${name} cleans up and frees the server`, async () => {
      const site = tiny.repository();
      let stopped = 0;
      for (let round = 0; round < (IS_LONG ? 12 : 3); round += 1) {
        const { run, afterMs } = await pushAndSignal(site, name);
        const what = `${name} after ${afterMs} ms: ${run.stderr}`;
        const backups = sentinels(site);
        if (run.code === 0) {
          await provenWhole(site.root, backups.at(-1) ?? '');
          continue;
        }
        stopped += 1;
        assert.equal(run.code, name === 'SIGTERM' ? 143 : 130, what);
        assert.ok(run.stderr.includes(`stopped by ${name} [interrupted]`), what);
        const others = backupObjects(site).filter(
          (path) => !backups.some((backup) => path.includes(backup)),
        );
        assert.deepEqual(others, [], what);
      }
      assert.ok(stopped > 0);
    });
  }

  after(async () => noWalsenderIsLeft(tiny.server));
});

/** A slow backup, and a signal at some moment from where it has begun. */
async function pushAndSignal(
  site: BackupSite,
  name: NodeJS.Signals,
): Promise<{ readonly run: TsbkRun; readonly afterMs: number }> {
  const afterMs = Math.round(Math.random() * 2500);
  let pid: number | undefined;
  let begun = false;
  const stop = (): void => {
    if (pid !== undefined) process.kill(pid, name);
  };
  const run = await site.tsbk(['backup-push'], {
    env: SLOW,
    onStart: (started) => (pid = started),
    onStderr: () => {
      if (!begun) setTimeout(stop, afterMs).unref();
      begun = true;
    },
  });
  pid = undefined;
  return { run, afterMs };
}

describe('a backup whose WAL is never archived', () => {
  let site: BackupSite;
  before(async () => {
    const store = await openTestStore('directory');
    const server = await startPostgres({ version: 15, walSegmentMb: 1, archiveCommand: 'false' });
    site = siteOf(server, store.env);
  });
  after(async () => site.server.close());

  it('gives up in time and names the segment and the archiver’s trouble', async () => {
    const run = await site.tsbk(['backup-push'], { env: { TSBK_WAL_TIMEOUT: '3s' } });
    refused(run, 75, 'wal-wait-timeout', 'within 3.0 s', 'archive_command', 'pg_stat_archiver');
    assert.match(run.stderr, /WAL segments? (?:from )?0000000100000000[0-9A-F]{8} did not/);
    assert.match(run.stderr, /The archiver fails at 00000001[0-9A-F]{16}/);
    assert.deepEqual(await site.list(), []);
    assert.deepEqual(backupObjects(site), []);
  });

  it('and that is killed while it cleans up is none, and its claim goes last', async () => {
    for (let call = 1; call < CALLS_MAX; call = nextCall(call)) {
      const run = await site.tsbk(['backup-push'], {
        env: { TSBK_WAL_TIMEOUT: '1s', ...failAt('remove', call, 'kill') },
      });
      assert.deepEqual(sentinels(site), []);
      if (run.code === 75) {
        assert.ok(call > 5);
        assert.deepEqual(await site.list(), []);
        return;
      }
      assert.equal(run.signal, 'SIGKILL', run.stderr);
      const name = /copying (\S+)/.exec(run.stderr)?.[1] ?? '';
      const left = backupObjects(site).filter((path) => path.includes(name));
      assert.ok(left.includes(`basebackups_005/${name}/tsbk_run.json`), left.join(' '));
    }
    assert.fail('there are more calls');
  });
});

describe('a server that fails in the middle of a backup', () => {
  let site: BackupSite;
  before(async () => {
    const store = await openTestStore('directory');
    const server = await startPostgres({ version: 15, archiveCommand: 'true' });
    site = siteOf(server, store.env);
  });
  after(async () => site.server.close());

  for (const mode of ['fast', 'immediate', 'kill'] as const) {
    it(`because it is stopped (${mode}) ends it with connection-lost`, async () => {
      const run = await pushAnd(site, () => site.server.stop(mode));
      refused(run, 75, 'connection-lost');
      assert.deepEqual(backupObjects(site), []);
      await eventually('the server starting again', () =>
        site.server.start().then(
          () => true,
          () => undefined,
        ),
      );
      assert.deepEqual(await site.list(), []);
    });
  }

  it('because a page has a wrong checksum ends it and names the page', async () => {
    const { server } = site;
    await server.query('create table t as select generate_series(1, 5000) as n');
    await server.query('checkpoint');
    const [row] = await server.query<{ path: string }>("select pg_relation_filepath('t') as path");
    const file = await open(join(server.dataDir, row?.path ?? ''), 'r+');
    await file.write(Buffer.from('damaged'), 0, 7, 8192 + 5000);
    await file.close();
    refused(await site.tsbk(['backup-push']), 1, 'page-checksum', `${row?.path} block 1`);
    assert.deepEqual(backupObjects(site), []);
    assert.deepEqual(await site.list(), []);
  });
});

it('a standby that is promoted in the middle of a backup ends it', async () => {
  const store = await openTestStore('directory');
  await using primary = await startPostgres({ version: 17, archiveCommand: 'true' });
  await using standby = await startStandby(primary);
  const site = siteOf(standby, store.env);
  const run = await pushAnd(site, () => standby.query('select pg_promote(false)'));
  refused(run, 1, 'server-promoted');
  assert.deepEqual(backupObjects(site), []);
  assert.deepEqual(await site.list(), []);
});

/** A slow backup, and `act` once it copies. */
async function pushAnd(site: BackupSite, act: () => Promise<unknown>): Promise<TsbkRun> {
  let acted: Promise<unknown> | undefined;
  const run = await site.tsbk(['backup-push'], {
    env: SLOW,
    onStderr: (text) => {
      if (text.includes('copying')) acted ??= sleep(300).then(act);
    },
  });
  await acted;
  return run;
}

for (const role of ['postgres', 'walker'] as const) {
  it(`two backups at the same moment by ${role} get different names and are whole`, async () => {
    const site = tiny.repository();
    const env = { PGUSER: role };
    const names = await Promise.all([1, 2].map(async () => (await site.push([], { env })).name));
    assert.notEqual(names[0], names[1]);
    assert.deepEqual((await site.list()).sort(), names.sort());
    for (const name of names) {
      await provenWhole(site.root, name);
      assert.equal(await restoredRows(site, name), 1000);
    }
  });

  it(`a backup by ${role} takes the next name when a killed run holds the first`, async () => {
    const site = tiny.repository();
    const taken = await namesToCome(tiny.server);
    for (const name of taken) {
      const claim = join(site.root, 'basebackups_005', name, 'tsbk_run.json');
      mkdirSync(dirname(claim), { recursive: true });
      writeFileSync(claim, '{"run":"x","host":"elsewhere","started":"2026-11-22T02:03:52Z"}');
    }
    giveToServerUser(site.root);
    const { name, run } = await site.push([], { env: { PGUSER: role } });
    assert.ok(!taken.includes(name), run.stderr);
    assert.match(
      run.stderr,
      /taken already: .* of elsewhere, begun 2026.*`tsbk st claims --remove`/,
    );
    assert.deepEqual(await site.list(), [name]);
    const others = backupObjects(site).filter((path) => !path.includes(name));
    assert.deepEqual(
      others.sort(),
      taken.map((each) => `basebackups_005/${each}/tsbk_run.json`),
    );
  });
}

/**
 * Names that a backup may get next: of the current segment, if nothing is in it, and of the next; at a border
 * the server names the segment before.
 */
async function namesToCome(server: Server): Promise<string[]> {
  const [row] = await server.query<{ name: string }>(
    'select pg_walfile_name(pg_current_wal_lsn()) as name',
  );
  const name = row?.name ?? '';
  const number = Number.parseInt(name.slice(-3), 16);
  return [0, 1, 2].map((after) => {
    const segment = (number + after).toString(16).toUpperCase().padStart(3, '0');
    return `base_${name.slice(0, -3)}${segment}`;
  });
}
