/** Whatever ends a backup leaves nothing that looks like one, and the next one succeeds. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, before, describe, test } from 'node:test';
import { connectionEnv, startArchivingServer } from './support/archiving-server.ts';
import { startPostgres, type Server } from './support/postgres.ts';
import { openTestStore, type TestStore } from './support/store.ts';
import { runTsbk, type TsbkRun } from './support/tsbk.ts';

/** A small backup makes fewer store calls than this of any kind. */
const CALLS_MAX = 40;

let store: TestStore;
let primary: Server;
let env: Readonly<Record<string, string>>;

before(async () => {
  store = await openTestStore('directory');
  primary = await startArchivingServer(store, {
    version: 17,
    settings: { checkpoint_timeout: '1h' },
  });
  env = { ...store.env, ...connectionEnv(primary), TSBK_TAR_SIZE_THRESHOLD: '16MiB' };
});

after(async () => {
  await primary?.close();
  await store?.[Symbol.asyncDispose]();
});

async function backups(): Promise<string[]> {
  const list = await runTsbk(['backup-list', '--json'], { env });
  assert.equal(list.code, 0, list.stderr);
  assert.equal(list.stderr, '');
  return (JSON.parse(list.stdout) as { backup_name: string }[]).map((entry) => entry.backup_name);
}

/** Backups without a sentinel, as `check` tells of them. */
async function unfinished(): Promise<string[]> {
  const check = await runTsbk(['check', '--json'], { env });
  const findings = JSON.parse(check.stdout) as { text: string }[];
  return findings.map(({ text }) => text).filter((text) => text.includes('no complete backup'));
}

async function isWhole(name: string): Promise<void> {
  const shown = await runTsbk(['backup-show', name, '--json'], { env });
  assert.equal(shown.code, 0, shown.stderr);
  const backup = JSON.parse(shown.stdout) as { wal_missing: string[]; made_by: string };
  assert.deepEqual(backup.wal_missing, []);
  assert.match(backup.made_by, /^tsbk /);
}

describe('backup-push', () => {
  for (const point of ['put', 'put-done']) {
    test(`that is killed at any ${point} leaves no backup, or a whole one after its sentinel`, async () => {
      let killed = 0;
      for (let call = 1; call <= CALLS_MAX; call += 1) {
        const known = await backups();
        const fault = { TSBK_FAILPOINT: `${point}:${call}:kill` };
        const run = await runTsbk(['backup-push'], { env: { ...env, ...fault } });
        const made = (await backups()).filter((name) => !known.includes(name));
        for (const name of made) await isWhole(name);
        if (run.code === 0) {
          assert.equal(made.length, 1);
          break;
        }
        killed += 1;
        // Nobody is told of success by a killed process; only its last steps may come after the sentinel.
        assert.ok(made.length <= 1);
      }
      assert.ok(killed < CALLS_MAX);
      assert.ok(killed >= 4, `killed ${killed} times`);
    });
  }

  test('that fails at any put removes what it stored and says why', async () => {
    const before = await unfinished();
    for (const call of [2, 4, 6]) {
      const known = await backups();
      const fault = { TSBK_FAILPOINT: `put:${call}:throw` };
      const run = await runTsbk(['backup-push'], { env: { ...env, ...fault } });
      assert.notEqual(run.code, 0);
      assert.notEqual(run.stderr, '');
      assert.deepEqual(await backups(), known);
      assert.deepEqual(await unfinished(), before);
    }
  });

  test('that is asked to stop ends with 75, removes what it stored and frees the server', async () => {
    const known = await backups();
    const slow = { TSBK_DISK_RATE_LIMIT: '1MiB' };
    const run = await runTsbk(['backup-push'], {
      env: { ...env, ...slow },
      onStart: (pid) => setTimeout(() => process.kill(pid, 'SIGTERM'), 2500),
    });
    assert.equal(run.code, 75, run.stderr);
    assert.match(run.stderr, /stopped by SIGTERM/);
    assert.deepEqual(await backups(), known);
    await untilNoSenders(primary);
  });

  test('whose WAL does not arrive gives up in time and names segment and archiver', async () => {
    await using other = await openTestStore('directory');
    await using server = await startPostgres({ version: 15, archiveCommand: 'exit 1' });
    const settings = { ...other.env, ...connectionEnv(server), TSBK_WAL_TIMEOUT: '3s' };
    const run = await runTsbk(['backup-push'], { env: settings });
    refused(run, 75, /wal-wait-timeout/, /00000001[0-9A-F]{16}/, /archiver fails/);
    const list = await runTsbk(['backup-list', '--json'], { env: settings });
    assert.equal(list.stdout.trim(), '[]');
  });

  test('of another cluster into the same repository is refused before anything is stored', async () => {
    const known = await backups();
    await using foreign = await startPostgres({ version: 17, newSystemId: true });
    const run = await runTsbk(['backup-push'], {
      env: { ...store.env, ...connectionEnv(foreign) },
    });
    refused(run, 1, /wrong-system-id/);
    assert.deepEqual(await backups(), known);
  });

  test('at the same moment as another one gives two backups of different names', async () => {
    const known = await backups();
    const runs = await Promise.all([1, 2].map(() => runTsbk(['backup-push'], { env })));
    for (const run of runs) assert.equal(run.code, 0, run.stderr);
    const made = (await backups()).filter((name) => !known.includes(name));
    assert.equal(made.length, 2);
    for (const name of made) await isWhole(name);
  });

  test('that is killed around the end of a multipart upload leaves no backup', async () => {
    await primary.query(
      'create table noise as select gen_random_uuid() as a, gen_random_uuid() as b from generate_series(1, 300000)',
    );
    const known = await backups();
    for (const point of ['part', 'complete', 'complete-done']) {
      const fault = { TSBK_FAILPOINT: `${point}:1:kill`, TSBK_S3_MAX_PART_SIZE: '5MiB' };
      const run = await runTsbk(['backup-push'], { env: { ...env, ...fault } });
      assert.equal(run.signal ?? run.code, 'SIGKILL');
      assert.deepEqual(await backups(), known);
    }
  });

  test('without a server, with a wrong password or an unknown option changes nothing', async () => {
    const nowhere = { ...store.env, PGHOST: '127.0.0.1', PGPORT: '9', PGUSER: 'x' };
    refused(await runTsbk(['backup-push'], { env: nowhere }), 75, /server-unreachable/);
    refused(await runTsbk(['backup-push', '--permanant'], { env }), 2, /permanent/);
    refused(await runTsbk(['backup-push', '--add-user-data', '{'], { env }), 2, /JSON/);
  });
});

function refused(run: TsbkRun, code: number, ...patterns: readonly RegExp[]): void {
  assert.equal(run.code, code, run.stderr);
  for (const pattern of patterns) assert.match(run.stderr, pattern);
}

async function untilNoSenders(server: Server): Promise<void> {
  for (let tries = 0; tries < 100; tries += 1) {
    const [row] = await server.query<{ n: number }>(
      'select count(*)::int as n from pg_stat_replication',
    );
    if (row?.n === 0) return;
    await sleep(50);
  }
  assert.fail('a walsender is still there');
}
