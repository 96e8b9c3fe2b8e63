import assert from 'node:assert/strict';
import { chmodSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { connectionEnv, startArchivingServer } from './support/archiving-server.ts';
import { giveToServerUser, scratchPath, startPostgres } from './support/postgres.ts';
import { openTestStore } from './support/store.ts';
import { runTsbk } from './support/tsbk.ts';

describe('tsbk check', () => {
  for (const kind of ['directory', 's3'] as const) {
    test(`finds nothing to mend where all is well: ${kind}`, async () => {
      await using store = await openTestStore(kind);
      await using server = await startArchivingServer(store, { version: 17 });
      const env = { ...store.env, ...connectionEnv(server) };
      const run = await runTsbk(['check'], { env });
      assert.equal(run.code, 0, run.stdout + run.stderr);
      assert.match(run.stdout, /refuses to overwrite/);
      assert.match(run.stdout, /was archived and read back whole/);
      assert.doesNotMatch(run.stdout, /FAILED/);
      const list = await runTsbk(['backup-list', '--json'], { env });
      assert.equal(list.stdout.trim(), '[]');
    });
  }

  test('names the GRANT that a role lacks', async () => {
    await using store = await openTestStore('directory');
    await using server = await startArchivingServer(store, { version: 16 });
    await server.query('create role "Weak" login');
    const env = { ...store.env, ...connectionEnv(server), PGUSER: 'Weak', PGDATABASE: 'postgres' };
    const run = await runTsbk(['check'], { env });
    assert.equal(run.code, 1);
    assert.match(run.stdout, /ALTER ROLE "Weak" REPLICATION;/);
    assert.match(run.stdout, /GRANT pg_read_all_settings TO "Weak";/);
    assert.match(run.stdout, /GRANT EXECUTE ON FUNCTION pg_switch_wal\(\) TO "Weak";/);
    assert.match(run.stderr, /check-failed/);
  });

  test('says that archiving is off, and how to switch it on', async () => {
    await using store = await openTestStore('directory');
    await using server = await startPostgres({ version: 15 });
    const run = await runTsbk(['check', '--json'], {
      env: { ...store.env, ...connectionEnv(server) },
    });
    assert.equal(run.code, 1);
    const findings = JSON.parse(run.stdout) as { status: string; text: string; fix?: string }[];
    const off = findings.find(({ text }) => text === 'archive_mode is off');
    assert.equal(off?.status, 'failed');
    assert.match(off?.fix ?? '', /tsbk-archive-push %p/);
    const empty = findings.find(({ text }) => text.endsWith('holds no backup and no WAL'));
    assert.equal(empty?.status, 'warning');
    assert.match(empty?.fix ?? '', /mounted/);
  });

  test('says that wal_level is minimal', async () => {
    await using store = await openTestStore('directory');
    const settings = { wal_level: 'minimal', max_wal_senders: '0' };
    await using server = await startPostgres({ version: 14, settings });
    const run = await runTsbk(['check'], { env: { ...store.env, ...connectionEnv(server) } });
    assert.equal(run.code, 1);
    assert.match(run.stdout, /wal_level is minimal/);
  });

  test('says why a segment does not arrive', async () => {
    await using store = await openTestStore('directory');
    await using server = await startPostgres({
      version: 17,
      archiveCommand: 'echo broken; exit 3',
    });
    const env = { ...store.env, ...connectionEnv(server), TSBK_CHECK_TIMEOUT: '4s' };
    const run = await runTsbk(['check'], { env });
    assert.equal(run.code, 1);
    assert.match(run.stdout, /did not reach the repository/);
    assert.match(run.stdout, /archiver fails/);
  });

  test('warns when both archive settings are set, and of files that others can read', async () => {
    await using store = await openTestStore('directory');
    await using server = await startPostgres({
      version: 15,
      archiveCommand: 'true',
      settings: { archive_library: 'nothing' },
    });
    const passFile = scratchPath('pgpass');
    writeFileSync(passFile, 'localhost:1:*:nobody:canary-password\n');
    giveToServerUser(passFile);
    chmodSync(passFile, 0o644);
    const env = {
      ...store.env,
      ...connectionEnv(server),
      PGPASSFILE: passFile,
      TSBK_CHECK_TIMEOUT: '1s',
    };
    const run = await runTsbk(['check'], { env });
    assert.match(run.stdout, /archive_command and archive_library are both set/);
    assert.match(run.stdout, /password file .* can be read by others/);
    assert.doesNotMatch(run.stdout + run.stderr, /canary-password/);
  });

  test('tells an unreachable server from a repository of another cluster', async () => {
    await using store = await openTestStore('directory');
    const nowhere = { ...store.env, PGHOST: '127.0.0.1', PGPORT: '9', PGUSER: 'x' };
    const unreachable = await runTsbk(['check'], { env: nowhere });
    assert.equal(unreachable.code, 1);
    assert.match(unreachable.stdout, /127\.0\.0\.1:9/);

    await using first = await startArchivingServer(store, { version: 17 });
    assert.equal(
      (await runTsbk(['check'], { env: { ...store.env, ...connectionEnv(first) } })).code,
      0,
    );
    await using second = await startArchivingServer(store, { version: 17, newSystemId: true });
    const env = { ...store.env, ...connectionEnv(second), TSBK_CHECK_TIMEOUT: '1s' };
    const foreign = await runTsbk(['check'], { env });
    assert.equal(foreign.code, 1);
    assert.match(foreign.stdout, /belongs to the cluster with system identifier/);
  });
});
