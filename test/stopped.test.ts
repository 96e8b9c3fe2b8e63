/**
 * Commands that are asked to stop, on S3 and while they restore. Every moment of a backup into a
 * directory is in backup-failures.test.ts.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startArchivingServer } from './support/archiving-server.ts';
import { siteOf, type BackupSite } from './support/backup-site.ts';
import { eventually } from './support/eventually.ts';
import { openModelStore } from './support/model-store.ts';
import { giveToServerUser, scratchPathForServerUser, serverUser } from './support/postgres.ts';
import { untilGone } from './support/process-tree.ts';
import { refused } from './support/refused.ts';
import { openTestStore, type TestStore } from './support/store.ts';
import { installedTsbk, type TsbkRun } from './support/tsbk.ts';

const EXITS = { SIGINT: 130, SIGTERM: 143 } as const;

/** Some 24 MiB that do not compress, in parts of the smallest size, uploaded slowly. */
const SLOW = { TSBK_S3_MAX_PART_SIZE: '5MiB', TSBK_NETWORK_RATE_LIMIT: '2MiB' };

let store: TestStore;
let site: BackupSite;

before(async () => {
  store = await openTestStore('s3');
  const server = await startArchivingServer(store, {
    version: 17,
    settings: { checkpoint_timeout: '1h' },
  });
  site = siteOf(server, store.env);
  await server.query(
    'create table noise as select gen_random_uuid() as a, gen_random_uuid() as b from generate_series(1, 300000)',
  );
});
after(async () => {
  await site?.server.close();
  await store?.[Symbol.asyncDispose]();
});

/** Runs `tsbk` and calls `then` once, with the process, when it has said `text`. */
async function runUntil(
  args: readonly string[],
  said: { readonly text: string; readonly env?: Readonly<Record<string, string>> },
  then: (pid: number) => Promise<void>,
): Promise<TsbkRun & { readonly pid: number }> {
  let pid = 0;
  let stderr = '';
  let acted: Promise<void> | undefined;
  const run = await site.tsbk(args, {
    env: { ...SLOW, ...said.env },
    onStart: (started) => (pid = started),
    onStderr: (text) => {
      stderr += text;
      if (stderr.includes(said.text)) acted ??= then(pid);
    },
  });
  await acted;
  return { ...run, pid };
}

const listed = (...args: readonly string[]) => listedIn({}, ...args);

async function listedIn(
  env: Readonly<Record<string, string>>,
  ...args: readonly string[]
): Promise<Record<string, unknown>[]> {
  const run = await site.tsbk(['st', ...args, '--json'], { env });
  assert.equal(run.code, 0, run.stderr);
  return JSON.parse(run.stdout) as Record<string, unknown>[];
}

async function nothingIsLeft(): Promise<void> {
  assert.deepEqual(await listed('ls', '-r', 'basebackups_005'), []);
  assert.deepEqual(await listed('uploads'), []);
  await noBackupRuns();
}

async function noBackupRuns(): Promise<void> {
  await eventually('the end of the walsenders', async () => {
    const rows = await site.server.query(
      "select from pg_stat_activity where backend_type = 'walsender'",
    );
    return rows.length === 0 || undefined;
  });
}

describe('a backup into S3', () => {
  for (const [name, exit] of Object.entries(EXITS)) {
    it(`that gets ${name} while parts are on their way aborts its uploads and exits with ${exit}`, async () => {
      const run = await runUntil(['backup-push'], { text: 'copying ' }, async (pid) => {
        await eventually('an upload', async () => (await listed('uploads'))[0]);
        process.kill(pid, name);
      });
      refused(run, exit, 'interrupted', `stopped by ${name}`);
      await nothingIsLeft();
      await untilGone(run.pid);
    });
  }

  for (const point of ['upload-done:1', 'part-done:2', 'complete:1', 'put:3']) {
    it(`that gets SIGTERM at ${point} leaves nothing`, async () => {
      const env = { ...SLOW, TSBK_NETWORK_RATE_LIMIT: '1GiB', TSBK_FAILPOINT: `${point}:term` };
      refused(await site.tsbk(['backup-push'], { env }), 143, 'interrupted');
      await nothingIsLeft();
    });
  }

  it('ends at once at a second signal, and what it leaves is found and removed', async () => {
    await using model = await openModelStore();
    const { env } = model;
    const listed = (...args: readonly string[]) => listedIn(env, ...args);
    // The clean-up waits for an answer that never comes.
    model.model.addRule({ operation: 'AbortMultipartUpload', fault: { kind: 'hang' } });
    const run = await runUntil(['backup-push'], { text: 'copying ', env }, async (pid) => {
      await eventually('an upload', async () => (await listed('uploads'))[0]);
      const [claim] = await listed('claims', '--remove');
      assert.deepEqual([claim?.['process'], claim?.['removed']], ['alive', false]);
      process.kill(pid, 'SIGTERM');
      await sleep(1200);
      process.kill(pid, 'SIGINT');
    });
    assert.equal(run.code, 130, run.stderr);
    await noBackupRuns();
    const [left] = await listed('claims');
    assert.deepEqual([left?.['process'], left?.['pid']], ['gone', run.pid]);
    model.model.clearRules();
    const check = await site.tsbk(['check'], { env: { ...env, TSBK_CHECK_TIMEOUT: '1s' } });
    assert.match(check.stdout, /is no complete backup[^→]*→ `tsbk st claims`/);
    const plan = await site.tsbk(['st', 'claims', '--remove', '--plan'], { env });
    assert.match(plan.stdout, /^would remove base_\w+: begun .*; process \d+ is gone$/m);
    assert.equal((await listed('claims')).length, 1);
    const [removed] = await listed('claims', '--remove');
    assert.equal(removed?.['removed'], true);
    assert.deepEqual(await listed('ls', '-r', 'basebackups_005'), []);
    assert.deepEqual(await listed('uploads'), []);
  });

  it('shows progress as JSON, with byte counts as texts, while it runs', async () => {
    const env = { ...SLOW, TSBK_NETWORK_RATE_LIMIT: '12MiB' };
    const args = ['backup-push', '--progress', 'json', '--log', 'json', '--lanes', '2'];
    const run = await site.tsbk(args, { env });
    assert.equal(run.code, 0, run.stderr);
    const events = run.stderr
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.ok(events.every(({ time, level }) => time !== undefined && level !== undefined));
    const resources = events.find(({ kind }) => kind === 'resources');
    assert.equal(resources?.['lanes'], 2);
    assert.equal(resources?.['networkBytesPerSecond'], String(12 * 1024 * 1024));
    // "At most about": what the kernel counts as resident is not all ours to decide.
    const saidBytes = Number(resources?.['memoryBytes']);
    assert.ok(run.peakBytes > 0 && run.peakBytes < 1.2 * saidBytes, `${run.peakBytes} bytes`);
    const progress = events.filter(({ kind }) => kind === 'progress');
    assert.ok(progress.length >= 2);
    assert.match(String(progress.at(-1)?.['bytes']), /^\d{8,}$/);
    const phases = events.filter(({ kind }) => kind === 'phase').map(({ phase }) => phase);
    assert.deepEqual(phases, ['start', 'copy', 'wal', 'records']);
  });
});

describe('a restore', () => {
  for (const [name, exit] of Object.entries(EXITS)) {
    it(`that gets ${name} empties the directory and exits with ${exit}`, async () => {
      const made = scratchPathForServerUser('stopped');
      const there = scratchPathForServerUser('stopped');
      mkdirSync(there, { mode: 0o700 });
      giveToServerUser(there);
      for (const directory of [made, there]) {
        const args = ['backup-fetch', directory, 'LATEST'];
        const run = await runUntil(args, { text: 'restoring ' }, async (pid) => {
          await eventually('files', async () => readdirSync(directory).length > 3 || undefined);
          process.kill(pid, name);
        });
        refused(run, exit, 'interrupted', `stopped by ${name}`);
        await untilGone(run.pid);
      }
      assert.ok(!existsSync(made));
      assert.deepEqual(readdirSync(there), []);
    });
  }
});

describe('a command that was started with a signal ignored', () => {
  /** Starts `st put`, which waits for its input, and sends it a signal once it listens to signals. */
  async function hungUp(start: string): Promise<number | null> {
    await using store = await openTestStore('directory');
    const { cli, env } = installedTsbk();
    const child = spawn('sh', ['-c', `${start} exec ${cli} st put --read-stdin x`], {
      env: { ...env, ...store.env },
      stdio: ['pipe', 'ignore', 'ignore'],
      ...serverUser(),
    });
    const ended = once(child, 'exit');
    await eventually('the command listening', async () => {
      const status = readFileSync(`/proc/${child.pid}/status`, 'latin1');
      const [, caught = '0'] = /^SigCgt:\s+(\w+)$/m.exec(status) ?? [];
      return (Number.parseInt(caught.slice(-1), 16) & 1) === 1 || undefined;
    });
    child.kill('SIGHUP');
    await sleep(300);
    child.stdin.end('content');
    const [code] = (await ended) as [number | null];
    return code;
  }

  it('does not stop at it', async () => {
    assert.equal(await hungUp("trap '' HUP;"), 0);
  });

  it('stops at it otherwise', async () => {
    assert.equal(await hungUp(''), 129);
  });
});
