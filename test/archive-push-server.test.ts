/**
 * The contract of `tsbk-archive-push` as servers see it: what their archivers do at each answer,
 * and what servers offer that no test could make up. The command alone: archive-push.test.ts.
 */
import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { archiveEverything, startArchivingServer } from './support/archiving-server.ts';
import { eventually } from './support/eventually.ts';
import { openModelStore, type ModelStore } from './support/model-store.ts';
import { scratchPath, startPostgres, startStandby, type Server } from './support/postgres.ts';
import { childrenOf, untilGone } from './support/process-tree.ts';
import { sameBytes } from './support/same-bytes.ts';
import { openTestStore, type TestStore } from './support/store.ts';
import { installedTsbk, runCommand } from './support/tsbk.ts';
import { filesBelow, getWal, pushWal, serverFolder } from './support/wal-commands.ts';
import { historyContent, writeWalFile } from './support/wal-file.ts';

interface ArchiverState {
  readonly archived: number;
  readonly failed: number;
  readonly lastArchived: string | null;
  readonly lastFailed: string | null;
}

async function archiverState(server: Server): Promise<ArchiverState> {
  const [row] = await server.query<ArchiverState>(`
    select archived_count::int as archived, failed_count::int as failed,
           last_archived_wal as "lastArchived", last_failed_wal as "lastFailed"
      from pg_stat_archiver`);
  assert.ok(row !== undefined);
  return row;
}

/** Process id of the archiver; `undefined` before PostgreSQL 14, which does not tell. */
async function archiverPid(server: Server): Promise<number | undefined> {
  const [row] = await server.query<{ pid: number }>(
    "select pid from pg_stat_activity where backend_type = 'archiver'",
  );
  return row?.pid;
}

/** Ends the segment, which wakes the archiver. Gives its name. */
async function endSegment(server: Server): Promise<string> {
  const [row] = await server.query<{ name: string }>(
    "select pg_walfile_name(pg_logical_emit_message(false, 'tsbk', 'x')) as name",
  );
  await server.query('select pg_switch_wal()');
  return row?.name ?? '';
}

/** Waits for a line of the server's log that was not there at `from`, a length of it. */
async function logged(server: Server, pattern: RegExp, from = 0): Promise<void> {
  const look = async (): Promise<true | undefined> =>
    pattern.test(readFileSync(server.logFile, 'utf8').slice(from)) ? true : undefined;
  await eventually(`${pattern} in the log`, look, 60_000);
}

const logLength = (server: Server): number => readFileSync(server.logFile, 'utf8').length;

/** Keys of WAL that were stored, in the order in which they were. */
function storedInOrder({ model }: ModelStore): string[] {
  return model.requests
    .filter(({ operation, key, status }) => {
      return operation === 'PutObject' && key.includes('/wal_005/') && status === 200;
    })
    .map(({ key }) => key.replace(/^.*\//, '').replace('.lz4', ''));
}

for (const version of [13, 18] as const) {
  describe(`The archiver of PostgreSQL ${version}`, () => {
    it('counts every failure, lives on, and archives all in order when the cause is gone', async () => {
      await using store = await openModelStore();
      const mode = scratchPath('mode');
      writeFileSync(mode, '');
      const { archivePush, env } = installedTsbk();
      await using server = await startPostgres({
        version,
        walSegmentMb: 1,
        archiveCommand: `env $(cat ${mode}) ${archivePush} %p`,
        // What is stored when is told by the answers then.
        env: { ...env, ...store.env, TSBK_PUSH_TIMEOUT: '5s', TSBK_PUSH_AHEAD: '0' },
      });
      const first = await archiveEverything(server);
      const pid = await archiverPid(server);
      let failed = (await archiverState(server)).failed;
      assert.equal(failed, 0);

      const answers = async (code: number, settings: string): Promise<void> => {
        const from = logLength(server);
        writeFileSync(mode, settings);
        await endSegment(server);
        await server.query('select pg_reload_conf()');
        await logged(server, new RegExp(`archive command failed with exit code ${code}\\b`), from);
        const state = await eventually('the failure in pg_stat_archiver', async () => {
          const now = await archiverState(server);
          return now.failed > failed ? now : undefined;
        });
        assert.equal(state.archived, 1);
        failed = state.failed;
      };
      await answers(2, 'WALG_COMPRESSION_METHOD=rot13');
      await answers(1, 'WALG_S3_PREFIX=s3://no-such-bucket/main');
      await answers(70, 'TSBK_FAILPOINT=put:1:exit');
      store.breakDown({ kind: 'status', status: 503, code: 'ServiceUnavailable' });
      await answers(75, '');
      store.recover();
      // Killed, which would be 137 and the end of the archiver.
      await answers(75, 'TSBK_FAILPOINT=put:1:kill');

      const blocked = (await archiverState(server)).lastFailed ?? '';
      await placeOther(server, blocked, store.env);
      const { objects } = store.model.state.buckets.get('tsbk-model') ?? assert.fail();
      const [object] = store.walKeys().filter((key) => key.includes(blocked));
      const foreign = objects.get(object ?? '');
      await answers(65, '');
      assert.equal(objects.get(object ?? ''), foreign);
      assert.deepEqual(storedInOrder(store), [first, blocked]);
      objects.delete(object ?? '');

      const last = await archiveEverything(server);
      assert.equal(await archiverPid(server), pid);
      const [, , ...rest] = storedInOrder(store);
      assert.deepEqual(rest, rest.toSorted());
      assert.equal(rest.at(0), blocked);
      assert.equal(rest.at(-1), last);
      const numbers = rest.map((name) => Number.parseInt(name.slice(16), 16));
      assert.deepEqual(
        numbers,
        numbers.map((_, n) => (numbers[0] ?? 0) + n),
      );
    });

    /** Archives something else under the name. */
    async function placeOther(
      server: Server,
      name: string,
      env: Readonly<Record<string, string>>,
    ): Promise<void> {
      const content = readFileSync(join(server.dataDir, 'pg_wal', name));
      content.writeUInt8(content.readUInt8(5000) ^ 1, 5000);
      const pushed = await pushWal(writeWalFile(serverFolder('wal'), name, content), env);
      assert.equal(pushed.code, 0, pushed.stderr);
    }

    it('gets the first segment of a new timeline, its history and the .partial archived after a promotion', async () => {
      await using store = await openTestStore('directory');
      await using primary = await startArchivingServer(store, { version, walSegmentMb: 1 });
      await primary.query('create table t as select generate_series(1, 100) as n');
      await archiveEverything(primary);
      await using standby = await startStandby(primary, archivingSettings(store, 'on'));
      await primary.query('insert into t values (101)');
      await untilReplayed(primary, standby);
      const cut = await currentSegment(primary);
      await primary.stop('immediate');
      await standby.query('select pg_promote()');
      await standby.query('insert into t values (102)');
      const last = await archiveEverything(standby);
      assert.equal(last.slice(0, 8), '00000002');

      const first = `00000002${cut.slice(8)}`;
      const root = store.env['WALG_FILE_PREFIX'] ?? '';
      const archived = (): string[] => filesBelow(join(root, 'wal_005'));
      for (const name of ['00000002.history', `${cut}.partial`, first]) {
        assert.ok(archived().includes(`${name}.lz4`), `${name} in ${archived().join(' ')}`);
      }
      const destination = join(serverFolder('fetched'), 'x');
      assert.equal((await getWal([first, destination], store.env)).code, 0);
      assert.equal(readFileSync(destination).readUInt32LE(4), 1, 'the header has the old timeline');
      assert.equal((await archiverState(standby)).failed, 0);

      // The old primary comes back and archives the whole of what it has.
      await primary.start();
      await archiveEverything(primary);
      assert.ok(archived().includes(`${cut}.lz4`));
      assert.ok(archived().includes(`${cut}.partial.lz4`));
      assert.ok(archived().some((name) => /\.[0-9A-F]{8}\.backup\.lz4$/.test(name)));
      assert.equal((await archiverState(primary)).failed, 0);
    });

    it('and that of a standby with archive_mode=always push the same files without a failure', async () => {
      await using store = await openTestStore('directory');
      await using primary = await startArchivingServer(store, { version, walSegmentMb: 1 });
      await primary.query('create table t (n int)');
      await using standby = await startStandby(primary, archivingSettings(store, 'always'));
      let last = '';
      for (let n = 1; n <= 5; n += 1) {
        await primary.query('insert into t select generate_series(1, 1000)');
        last = await archiveEverything(primary);
      }
      await eventually('the standby to archive as much', async () => {
        const { lastArchived } = await archiverState(standby);
        return (lastArchived ?? '').slice(0, 24) >= last ? true : undefined;
      });
      for (const server of [primary, standby]) {
        const { archived, failed } = await archiverState(server);
        assert.ok(archived >= 5);
        assert.equal(failed, 0);
      }
      assert.match(
        readFileSync(primary.logFile, 'utf8') + readFileSync(standby.logFile, 'utf8'),
        /was archived before, with the same content/,
      );
    });
  });
}

function archivingSettings(
  store: TestStore,
  mode: 'on' | 'always',
): { settings: Record<string, string>; env: Record<string, string> } {
  const { archivePush, env } = installedTsbk();
  return {
    settings: { archive_mode: mode, archive_command: `${archivePush} %p` },
    env: { ...env, ...store.env },
  };
}

async function currentSegment(server: Server): Promise<string> {
  const [row] = await server.query<{ name: string }>(
    'select pg_walfile_name(pg_current_wal_lsn()) as name',
  );
  return row?.name ?? '';
}

async function untilReplayed(primary: Server, standby: Server): Promise<void> {
  const [row] = await primary.query<{ lsn: string }>('select pg_current_wal_lsn()::text as lsn');
  await eventually('the standby to catch up', async () => {
    const [reached] = await standby.query<{ done: boolean }>(
      'select pg_last_wal_replay_lsn() >= $1::pg_lsn as done',
      [row?.lsn ?? ''],
    );
    return reached?.done === true ? true : undefined;
  });
}

describe('A second server that archives to the same repository', () => {
  it('is refused with 65 when it is a copy of the first that went its own way', async () => {
    await using store = await openTestStore('directory');
    // Clusters of one shape are copies of one template, system identifier and timeline included.
    await using first = await startArchivingServer(store, { version: 17, walSegmentMb: 1 });
    await first.query('create table t as select 1');
    await archiveEverything(first);
    const root = store.env['WALG_FILE_PREFIX'] ?? '';
    const before = digests(root);
    await using second = await startArchivingServer(store, { version: 17, walSegmentMb: 1 });
    await second.query('create table other as select 2');
    await endSegment(second);
    await logged(second, /archive command failed with exit code 65/);
    const log = readFileSync(second.logFile, 'utf8');
    assert.match(log, /already holds other content than 0000/);
    const origin = 'system identifier (\\d+), PostgreSQL 17, timeline 1';
    assert.match(log, new RegExp(`Archived since \\S+: ${origin}; offered: ${origin}`));
    assert.deepEqual(digests(root), before);
    assert.equal((await archiverState(second)).archived, 0);
    await archiveEverything(first);
    assert.equal((await archiverState(first)).failed, 0);
  });

  it('is refused with 1 when it is another cluster, its history files included', async () => {
    await using store = await openTestStore('directory');
    await using first = await startArchivingServer(store, { version: 17, walSegmentMb: 1 });
    await archiveEverything(first);
    const root = store.env['WALG_FILE_PREFIX'] ?? '';
    await using second = await startArchivingServer(store, {
      version: 17,
      walSegmentMb: 1,
      newSystemId: true,
    });
    const before = digests(root);
    await endSegment(second);
    await logged(second, /archive command failed with exit code 1\b/);
    assert.match(readFileSync(second.logFile, 'utf8'), /\[wrong-system-id\]/);

    const name = '00000002.history';
    writeWalFile(join(second.dataDir, 'pg_wal'), name, historyContent());
    const { archivePush } = installedTsbk();
    const run = await runCommand(archivePush, [`pg_wal/${name}`], {
      cwd: second.dataDir,
      env: store.env,
    });
    assert.equal(run.code, 1);
    assert.match(run.stderr, /\[wrong-system-id\]/);
    assert.deepEqual(digests(root), before);
  });

  const digests = (root: string): Record<string, string> =>
    Object.fromEntries(
      filesBelow(root).map((name) => [name, hash('sha256', readFileSync(join(root, name)))]),
    );
});

describe('A push that hangs while its server crashes', { concurrency: true }, () => {
  const crashes = {
    'a backend': (backend: number, _archiver: number) => backend,
    'the archiver': (_backend: number, archiver: number) => archiver,
  } as const;
  for (const [victim, choose] of Object.entries(crashes)) {
    it(`because ${victim} is killed ends, beside a successor that does its work`, async () => {
      await using store = await openModelStore();
      await using server = await startArchivingServer(store, { version: 17, walSegmentMb: 1 });
      await archiveEverything(server);
      // Before that the postmaster would not start a second archiver at once (PGARCH_RESTART_INTERVAL).
      await eventually('the server to be 10 s old', async () => {
        const [row] = await server.query<{ old: boolean }>(
          "select clock_timestamp() > pg_postmaster_start_time() + interval '11 s' as old",
        );
        return row?.old === true ? true : undefined;
      });
      const from = store.model.requests.length;
      const hang = { operation: 'PutObject', key: /wal_005/, fault: { kind: 'hang' } } as const;
      store.model.addRule(hang);
      await server.query('create table t as select generate_series(1, 100) as n');
      const name = await endSegment(server);
      await store.asked('PutObject', from);
      const archiver = (await archiverPid(server)) ?? 0;
      const [push = 0] = childrenOf(archiver);
      assert.match(readFileSync(`/proc/${push}/cmdline`, 'latin1'), /tsbk-archive-push/);
      const processes = [push, ...childrenOf(push)];

      const session = await server.client();
      const { rows } = await session.query<{ pid: number }>('select pg_backend_pid() as pid');
      process.kill(choose(rows[0]?.pid ?? 0, archiver), 'SIGKILL');
      await logged(server, /database system is ready to accept connections[^]*ready to accept/);
      const look = async (): Promise<true | undefined> =>
        storedInOrder(store).includes(name) ? true : undefined;
      await eventually('the segment to be archived', look, 90_000);
      for (const pid of processes) await untilGone(pid);
      assert.equal(storedInOrder(store).filter((stored) => stored === name).length, 1);
      assert.match(readFileSync(server.logFile, 'utf8'), /\[interrupted\]/);
      const destination = join(serverFolder('fetched'), 'x');
      assert.equal((await getWal([name, destination], store.env)).code, 0);
      sameBytes(readFileSync(destination), readFileSync(join(server.dataDir, 'pg_wal', name)));
    });
  }
});
