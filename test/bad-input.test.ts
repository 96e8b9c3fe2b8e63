/** What goes wrong before or during a restore: one clear message, the right exit code, nothing changed. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import {
  archiveEverything,
  connectionEnv,
  startArchivingServer,
} from './support/archiving-server.ts';
import {
  giveToServerUser,
  scratchPath,
  scratchPathForServerUser,
  type Server,
} from './support/postgres.ts';
import { startS3Server } from './support/s3-server.ts';
import { openTestStore, type TestStore } from './support/store.ts';
import { runTsbk, type TsbkRun } from './support/tsbk.ts';

let store: TestStore;
let primary: Server;
let backup: string;

before(async () => {
  store = await openTestStore('directory');
  primary = await startArchivingServer(store, { version: 17 });
  await primary.query('create table t as select g from generate_series(1, 5000) g');
  const pushed = await runTsbk(['backup-push', '--json'], {
    env: { ...store.env, ...connectionEnv(primary) },
  });
  assert.equal(pushed.code, 0, pushed.stderr);
  backup = (JSON.parse(pushed.stdout) as { name: string }).name;
  await archiveEverything(primary);
});

after(async () => {
  await primary?.close();
  await store?.[Symbol.asyncDispose]();
});

/** A copy of the repository for one test to damage. */
function copyOfRepository(): { readonly root: string; readonly env: Record<string, string> } {
  const root = scratchPath('damaged');
  execFileSync('cp', ['-a', store.env['WALG_FILE_PREFIX'] ?? '', root]);
  return { root, env: { WALG_FILE_PREFIX: root } };
}

function refused(run: TsbkRun, code: number, ...patterns: readonly RegExp[]): void {
  assert.equal(run.code, code, run.stderr);
  for (const pattern of patterns) assert.match(run.stderr, pattern);
  assert.doesNotMatch(run.stderr, /\bat .*\.(?:mjs|ts):\d+/, 'a message, not a stack');
}

async function fetchInto(
  directory: string,
  env: Readonly<Record<string, string>>,
  args: readonly string[] = [],
): Promise<TsbkRun> {
  return runTsbk(['backup-fetch', directory, 'LATEST', ...args], { env });
}

function partsOf(root: string): { readonly folder: string; readonly names: readonly string[] } {
  const folder = join(root, 'basebackups_005', backup, 'tar_partitions');
  return { folder, names: readdirSync(folder) };
}

describe('A repository that cannot be reached', () => {
  test('that is not set is told with an example', async () => {
    refused(await runTsbk(['backup-list']), 2, /setting-missing/, /WALG_FILE_PREFIX=/);
  });

  test('whose directory is missing is named', async () => {
    const env = { WALG_FILE_PREFIX: '/nonexistent/repository' };
    refused(await runTsbk(['backup-list'], { env }), 1, /store-missing/, /nonexistent/);
  });

  test('at an unreachable host ends within its retry budget and says temporary', async () => {
    const env = {
      WALG_S3_PREFIX: 's3://bucket/x',
      AWS_ENDPOINT: 'http://127.0.0.1:9',
      AWS_ACCESS_KEY_ID: 'a',
      AWS_SECRET_ACCESS_KEY: 'canary-secret',
      TSBK_RETRY_BUDGET: '2s',
    };
    const run = await runTsbk(['backup-list'], { env });
    refused(run, 75, /store-unreachable/, /127\.0\.0\.1:9/);
    assert.doesNotMatch(run.stderr, /canary-secret/);
  });

  test('with wrong credentials or a missing bucket is told apart', async () => {
    const server = await startS3Server();
    try {
      const env = {
        WALG_S3_PREFIX: `s3://${server.bucket}/x`,
        AWS_ENDPOINT: server.endpoint,
        AWS_REGION: server.region,
        AWS_S3_FORCE_PATH_STYLE: 'true',
        AWS_ACCESS_KEY_ID: server.accessKeyId,
        AWS_SECRET_ACCESS_KEY: 'wrong-canary',
      };
      const denied = await runTsbk(['backup-list'], { env });
      refused(denied, 1, /store-denied/);
      assert.doesNotMatch(denied.stderr, /wrong-canary/);
      const right = { ...env, AWS_SECRET_ACCESS_KEY: server.secretAccessKey };
      const missing = { ...right, WALG_S3_PREFIX: 's3://no-such-bucket-here/x' };
      refused(await runTsbk(['backup-list'], { env: missing }), 1, /store-missing/);
    } finally {
      await server.close();
    }
  });
});

describe('A restore', () => {
  test('into a directory that is not empty is refused and leaves it alone', async () => {
    const directory = scratchPathForServerUser('full');
    mkdirSync(directory);
    writeFileSync(join(directory, 'precious'), 'mine');
    giveToServerUser(directory);
    refused(await fetchInto(directory, store.env), 1, /target-not-empty/);
    assert.deepEqual(readdirSync(directory), ['precious']);
  });

  test('of a backup that does not exist names backup-list', async () => {
    const directory = scratchPathForServerUser('none');
    const run = await runTsbk(['backup-fetch', directory, 'base_000000010000000000000099'], {
      env: store.env,
    });
    refused(run, 1, /backup-missing/, /backup-list/);
    assert.equal(existsSync(directory), false);
  });

  test('with a part missing is refused before anything is written', async () => {
    const { root, env } = copyOfRepository();
    const { folder, names } = partsOf(root);
    rmSync(join(folder, names.find((name) => name.startsWith('part_')) ?? ''));
    const directory = scratchPathForServerUser('incomplete');
    refused(await fetchInto(directory, env), 1, /backup-incomplete|object-missing/);
    assert.equal(existsSync(directory), false);
  });

  test('of a truncated or flipped part leaves nothing that could be started', async () => {
    for (const damage of ['truncated', 'flipped'] as const) {
      const { root, env } = copyOfRepository();
      const { folder, names } = partsOf(root);
      const path = join(folder, names.find((name) => name.startsWith('part_')) ?? '');
      const bytes = readFileSync(path);
      bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 0x10;
      writeFileSync(path, damage === 'truncated' ? bytes.subarray(0, bytes.length - 1) : bytes);
      const directory = scratchPathForServerUser(damage);
      // A bit within a member's header is met by the reader of tar before the frame's checksum is.
      refused(
        await fetchInto(directory, env),
        1,
        /object-corrupt|object-truncated|tar-invalid/,
        /part_|base\//,
      );
      assert.equal(existsSync(join(directory, 'global/pg_control')), false);
    }
  });

  test('of a sentinel that is no JSON is refused, and listing still works', async () => {
    const { root, env } = copyOfRepository();
    writeFileSync(join(root, 'basebackups_005', `${backup}_backup_stop_sentinel.json`), '{"LSN":');
    const directory = scratchPathForServerUser('sentinel');
    const named = await runTsbk(['backup-fetch', directory, backup], { env });
    refused(named, 1, /record-invalid/, /sentinel/);
    const list = await runTsbk(['backup-list'], { env });
    assert.equal(list.code, 0);
    assert.match(list.stderr, /sentinel/);
  });

  test('with a key for what is not encrypted, and without one for what is, names the key', async () => {
    const key = { WALG_LIBSODIUM_KEY: 'ab'.repeat(32), WALG_LIBSODIUM_KEY_TRANSFORM: 'hex' };
    const directory = scratchPathForServerUser('key');
    refused(await fetchInto(directory, { ...store.env, ...key }), 1, /wrong-key/);
    assert.equal(existsSync(join(directory, 'global/pg_control')), false);
  });

  test('to a time without zone shows both readings', async () => {
    const directory = scratchPathForServerUser('zone');
    const args = ['--target-time', '2026-11-22 10:00:00'];
    const env = { ...store.env, TZ: 'Europe/Prague' };
    refused(await fetchInto(directory, env, args), 2, /10:00:00\+00/, /10:00:00\+01/);
  });

  test('to two targets, an unknown action or an unknown option is a usage error', async () => {
    const directory = scratchPathForServerUser('usage');
    const two = ['--target-immediate', '--target-name', 'x'];
    refused(await fetchInto(directory, store.env, two), 2, /more than one/);
    refused(await fetchInto(directory, store.env, ['--target-action', 'wait']), 2, /promote/);
    refused(await fetchInto(directory, store.env, ['--target-tim', 'x']), 2, /target-time/);
    assert.equal(existsSync(directory), false);
  });

  test('whose WAL is missing is refused, naming the segment', async () => {
    const { root, env } = copyOfRepository();
    const segment = backup.slice('base_'.length);
    for (const name of readdirSync(join(root, 'wal_005'))) {
      if (name.startsWith(segment) && !name.includes('.backup'))
        rmSync(join(root, 'wal_005', name));
    }
    const directory = scratchPathForServerUser('wal');
    refused(
      await fetchInto(directory, env),
      1,
      /wal-missing|target-unreachable/,
      new RegExp(segment),
    );
    assert.equal(existsSync(directory), false);
  });

  test('before the backup or to a restore point nobody made is refused', async () => {
    const directory = scratchPathForServerUser('before');
    const early = ['--target-time', '2001-01-01 00:00:00+00'];
    refused(await fetchInto(directory, store.env, early), 1, /target-unreachable|backup-missing/);
    const unknown = ['--target-name', 'never made'];
    refused(await fetchInto(directory, store.env, unknown), 1, /target-unreachable/, /never made/);
    const lsn = ['--target-lsn', 'FF/0'];
    refused(await fetchInto(directory, store.env, lsn), 1, /target-unreachable/);
    assert.equal(existsSync(directory), false);
  });
});
