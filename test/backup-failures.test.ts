/** Whatever goes wrong with a backup leaves nothing that looks like one, and is said clearly. */
import assert from 'node:assert/strict';
import { chmodSync, existsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectionEnv } from './support/archiving-server.ts';
import { siteOf, type BackupSite } from './support/backup-site.ts';
import { eventually } from './support/eventually.ts';
import { contentOfTree, treeOf } from './support/file-tree.ts';
import { modelEnv, openModelStore } from './support/model-store.ts';
import { startPostgres, startStandby, type Server } from './support/postgres.ts';
import { provenWhole } from './support/proven-whole.ts';
import { openTestStore } from './support/store.ts';
import { startTinyServer, type TinyServer } from './support/tiny-server.ts';
import { runTsbk, type TsbkRun } from './support/tsbk.ts';

/** A backup of the tiny server makes fewer calls of any kind. */
const CALLS_MAX = 30;

const PASSWORD = 'sésame';

let tiny: TinyServer;
before(async () => {
  tiny = await startTinyServer({
    hba: [
      'local all postgres trust',
      'local replication postgres,walker trust',
      'host all secretive 127.0.0.1/32 scram-sha-256',
      'host replication secretive 127.0.0.1/32 scram-sha-256',
      'host all,replication bystander 127.0.0.1/32 trust',
    ],
  });
  await tiny.server.query(`
    set password_encryption = 'scram-sha-256';
    create role walker login replication;
    create role bystander login;
    create role secretive login replication password '${PASSWORD}'`);
});
after(async () => tiny.server.close());

/** Objects of backups, finished and unfinished ones, and what unfinished writes left. */
function backupObjects({ root }: BackupSite): string[] {
  const entries = treeOf(root).filter(({ kind }) => kind === 'file');
  return entries.map(({ path }) => path).filter((path) => path.startsWith('basebackups_005/'));
}

function failAt(point: string, call: number, action: string): Readonly<Record<string, string>> {
  return { TSBK_FAILPOINT: `${point}:${call}:${action}` };
}

function refused(run: TsbkRun, exit: number, code: string, ...parts: readonly string[]): void {
  assert.equal(run.code, exit, run.stderr);
  assert.ok(run.stderr.includes(`[${code}]`), run.stderr);
  for (const part of parts)
    assert.ok(run.stderr.includes(part), `${part} is not in:\n${run.stderr}`);
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
  /** Each call in turn, until there are no more; the repository keeps what each run left. */
  async function sweep(site: BackupSite, point: string): Promise<number> {
    // The first run of all writes the repository's mark, too: its first call happens twice.
    for (let run = 0; run < CALLS_MAX; run += 1) {
      const known = await site.list();
      const { code, signal, stderr } = await site.tsbk(['backup-push'], {
        env: failAt(point, Math.max(1, run), 'kill'),
      });
      const made = (await site.list()).filter((name) => !known.includes(name));
      for (const name of made) await provenWhole(site.root, name);
      if (code === 0) {
        assert.equal(made.length, 1);
        return run;
      }
      assert.equal(signal, 'SIGKILL', stderr);
      // A sentinel is put, and then only the claim removed.
      assert.ok(made.length === 0 || ['put-done', 'remove', 'remove-done'].includes(point));
    }
    throw new Error(`there are more than ${CALLS_MAX} calls`);
  }

  for (const [point, least] of [
    ['get', 2],
    ['list', 2],
    ['stat', 3],
    ['put', 9],
    ['put-done', 9],
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
      const runs = await sweep(site, point);
      assert.ok(runs >= least, `${runs} runs were killed`);
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
      for (let call = 1; call < CALLS_MAX; call += 1) {
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

describe('a backup that is asked to stop', { concurrency: 2 }, () => {
  for (const point of ['get', 'put', 'put-done', 'upload', 'part', 'complete']) {
    it(`at any ${point} cleans up and ends with 75`, async () => {
      const site = tiny.repository();
      for (let call = 1; call < CALLS_MAX; call += 1) {
        const run = await site.tsbk(['backup-push'], { env: failAt(point, call, 'term') });
        if (run.code === 0) return;
        refused(run, 75, 'interrupted', 'stopped by SIGTERM');
        assert.deepEqual(backupObjects(site), []);
      }
      assert.fail('there are more calls');
    });
  }

  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    it(`at any moment by ${name} cleans up and frees the server`, async () => {
      const site = tiny.repository();
      let stopped = 0;
      for (let round = 0; round < 6; round += 1) {
        const { run, afterMs } = await pushAndSignal(site, name);
        const what = `${name} after ${afterMs} ms: ${run.stderr}`;
        if (run.code === 0) {
          for (const backup of await site.list()) await provenWhole(site.root, backup);
          continue;
        }
        stopped += 1;
        assert.equal(run.code, 75, what);
        assert.ok(run.stderr.includes(`stopped by ${name} [interrupted]`), what);
        const backups = await site.list();
        const foreign = backupObjects(site).filter(
          (path) => !backups.some((b) => path.includes(b)),
        );
        assert.deepEqual(foreign, [], what);
      }
      assert.ok(stopped > 0);
    });
  }

  after(async () => noWalsenderIsLeft(tiny.server));
});

/** A backup of two seconds, and a signal at some moment from where it has begun. */
async function pushAndSignal(
  site: BackupSite,
  name: NodeJS.Signals,
): Promise<{ readonly run: TsbkRun; readonly afterMs: number }> {
  const afterMs = Math.round(Math.random() * 3000);
  let pid = 0;
  let begun = false;
  const run = await site.tsbk(['backup-push'], {
    env: { TSBK_DISK_RATE_LIMIT: '4MiB' },
    onStart: (started) => (pid = started),
    onStderr: () => {
      if (begun) return;
      begun = true;
      setTimeout(() => process.kill(pid, name), afterMs).unref();
    },
  });
  pid = process.pid === pid ? 0 : pid;
  return { run, afterMs };
}
