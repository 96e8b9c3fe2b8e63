import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { parseManifest, type Manifest } from '@tsbk/core/format/manifest';
import { crc32c, crc32cHex } from '@tsbk/core/format/crc32c';
import { isTsbkError } from '@tsbk/core/kernel/errors';
import type { BackupEnd, BackupRequest, BackupStart } from '@tsbk/core/ports/backup-source';
import type { Report, ReportEvent } from '@tsbk/core/ports/report';
import { identifySystem } from '@tsbk/core/postgres/identify-system';
import { protocolSource } from '@tsbk/core/postgres/protocol-source';
import { openReplicationSession } from '@tsbk/core/postgres/replication-session';
import { readServerFacts } from '@tsbk/core/postgres/server-facts';
import { openSqlSession } from '@tsbk/core/postgres/sql-session';
import { timelineHistory } from '@tsbk/core/postgres/timeline-history';
import { collect } from '@tsbk/core/stream/collect';
import { eventually } from './support/eventually.ts';
import {
  connectionOf,
  giveToServerUser,
  POSTGRES_VERSIONS,
  scratchPath,
  startPostgres,
  startStandby,
  type Server,
} from './support/postgres.ts';

const REQUEST: BackupRequest = { label: "it's", checkpoint: 'fast', verifyChecksums: true };
const FOREVER = new AbortController().signal;
const noReport: Report = () => undefined;

for (const version of POSTGRES_VERSIONS) {
  describe(`PostgreSQL ${version}`, () => {
    let server: Server;
    before(async () => {
      server = await startPostgres({ version });
    });
    after(async () => server.close());

    it('says which cluster it is, by replication protocol as by SQL', async () => {
      const settings = await connectionOf(server);
      await using session = await openReplicationSession(settings, { signal: FOREVER });
      await using sql = await openSqlSession(settings, { signal: FOREVER });
      const facts = await readServerFacts(sql);
      const identity = await identifySystem(session);
      assert.equal(identity.systemId, facts.systemId);
      assert.equal(identity.timeline, 1);
      assert.equal(facts.timeline, 1);
      assert.equal(facts.inRecovery, false);
      assert.equal(facts.dataDirectory, server.dataDir);
      assert.equal(facts.walSegmentBytes, 16 * 1024 * 1024);
      assert.equal(facts.dataDirectoryMode, 0o700);
      assert.equal(facts.dataChecksums, true);
      assert.equal(facts.summarizeWal, version >= 17 ? false : undefined);
      assert.deepEqual(facts.role, {
        name: 'postgres',
        superuser: true,
        replication: true,
        lowLevelBackup: true,
        switchWal: true,
        createRestorePoint: true,
        readAllSettings: true,
      });
      assert.equal(session.version.major, version);
      assert.equal(await session.show('wal_segment_size'), '16MB');
      assert.equal(await timelineHistory(session, 1), undefined);
    });

    it('goes on serving a session after it has refused a command', async () => {
      await using session = await openReplicationSession(await connectionOf(server), {
        signal: FOREVER,
      });
      await assert.rejects(
        async () => timelineHistory(session, 7),
        (error) => isTsbkError(error, 'server-error') && error.message.includes('58P01'),
      );
      await assert.rejects(
        async () => session.query('NONSENSE'),
        (error) => isTsbkError(error, 'server-error'),
      );
      assert.equal((await identifySystem(session)).timeline, 1);
    });

    it('sends a backup whose members are those of its manifest', async () => {
      await fillWithOddities(server);
      const events: ReportEvent[] = [];
      const backup = await takeBackup(server, (event) => events.push(event));
      const files = backup.members.filter(({ kind }) => kind === 'file');
      assert.deepEqual(
        files.map(contentLine).sort(),
        backup.manifest.files.map((file) => `${hex(file)} ${file.bytes} ${file.checksum}`).sort(),
      );
      assert.equal(new Set(backup.members.map(hex)).size, backup.members.length);
      assert.equal(files.at(-1)?.path, 'global/pg_control');
      const range = backup.manifest.walRanges[0];
      assert.equal(range?.startLsn, backup.start.startLsn);
      assert.equal(range?.endLsn, backup.end.stopLsn);
      assert.equal(backup.manifest.version, version >= 17 ? 2 : 1);
      assertOddities(backup, version);
      const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
      assert.ok((backup.start.estimatedBytes ?? 0) > bytes / 2);
      const skipped = events.filter((event) => event.kind === 'warning');
      assert.deepEqual(skipped, [
        { kind: 'warning', code: 'file-skipped', text: 'skipping special file "./odd-link"' },
      ]);
    });
  });
}

interface Content {
  readonly path: string;
  readonly rawPath?: Uint8Array;
}

interface TakenMember extends Content {
  readonly kind: string;
  readonly bytes: number;
  readonly checksum: string;
}

interface TakenBackup {
  readonly start: BackupStart;
  readonly end: BackupEnd;
  readonly members: readonly TakenMember[];
  readonly manifest: Manifest;
}

/** Reads a whole backup, checking of each member what the port promises. */
async function takeBackup(server: Server, report = noReport): Promise<TakenBackup> {
  const source = protocolSource(await connectionOf(server), report);
  await using backup = await source.open(REQUEST, { signal: FOREVER });
  const members: TakenMember[] = [];
  let manifest: Manifest | undefined;
  for await (const item of backup.items()) {
    if (item.kind === 'manifest') {
      const bytes = await collect(item.body, { maxBytes: 2 ** 24, what: 'manifest' });
      manifest = parseManifest(bytes, 'manifest');
      continue;
    }
    assert.equal(manifest, undefined, 'the manifest comes last');
    const { member } = item;
    let crc = 0;
    let bytes = 0;
    for await (const chunk of item.body) {
      crc = crc32c(chunk, crc);
      bytes += chunk.length;
    }
    assert.equal(bytes, member.bytes);
    assert.match(member.path, /^[^/].*[^/]$/);
    const { path, kind, rawPath } = member;
    members.push({ path, kind, bytes, checksum: crc32cHex(crc), ...(rawPath && { rawPath }) });
  }
  assert.ok(manifest !== undefined);
  return { start: backup.start, end: await backup.end(), members, manifest };
}

/** Paths as bytes, in hexadecimal: two that are not UTF-8 may look the same as text. */
function hex({ path, rawPath }: Content): string {
  return Buffer.from(rawPath ?? path).toString('hex');
}

function contentLine(file: TakenMember): string {
  return `${hex(file)} ${file.bytes} ${file.checksum}`;
}

const NOT_UTF8 = Buffer.concat([Buffer.from('odd-'), Buffer.from([0xe9, 0x0a])]);

/** Tablespaces and files of names that break careless programs. */
async function fillWithOddities(server: Server): Promise<void> {
  const location = `${scratchPath('space')} für=x`;
  mkdirSync(location);
  giveToServerUser(location);
  await server.query(`create tablespace "tä'b" location '${location}'`);
  await server.query(`create table "größe" tablespace "tä'b" as select generate_series(1, 9999)`);
  await server.query('create unlogged table u as select 1');
  // Version 15 has them too, but leaves them out of its backups.
  if (server.version >= 16) {
    await server.query('set allow_in_place_tablespaces = on');
    await server.query("create tablespace inplace location ''");
    await server.query('create table i tablespace inplace as select generate_series(1, 999)');
  }
  writeFileSync(`${server.dataDir}/odd ü "quoted"\\`, 'x');
  writeFileSync(Buffer.concat([Buffer.from(`${server.dataDir}/`), NOT_UTF8]), 'y');
  mkdirSync(`${server.dataDir}/odd empty`);
  giveToServerUser(server.dataDir);
  await server.query('checkpoint');
  symlinkSync('/etc/hostname', `${server.dataDir}/odd-link`);
}

function assertOddities({ members, start }: TakenBackup, version: number): void {
  const paths = new Set(members.map(({ path }) => path));
  assert.ok(paths.has('odd ü "quoted"\\'));
  assert.ok(paths.has('odd empty'));
  assert.ok(members.some(({ rawPath }) => rawPath !== undefined && NOT_UTF8.equals(rawPath)));
  assert.ok(paths.has('backup_label') && paths.has('tablespace_map'));
  assert.equal(start.tablespaces.length, version >= 16 ? 2 : 1);
  for (const { oid, location } of start.tablespaces) {
    assert.ok([...paths].some((path) => path.startsWith(`pg_tblspc/${oid}/PG_${version}_`)));
    assert.ok(location.endsWith(' für=x') || location === `pg_tblspc/${oid}`);
  }
}

for (const version of [13, 15, 18] as const) {
  it(`a page with a wrong checksum on ${version} ends the backup with page-checksum`, async () => {
    await using server = await startPostgres({ version });
    await server.query('create table t as select generate_series(1, 5000) as n');
    await server.query('checkpoint');
    const [row] = await server.query<{ path: string }>("select pg_relation_filepath('t') as path");
    await spoil(`${server.dataDir}/${row?.path}`, 8192 + 5000);
    const source = protocolSource(await connectionOf(server), noReport);
    await using backup = await source.open(REQUEST, { signal: FOREVER });
    for await (const item of backup.items()) assert.ok(item.kind);
    await assert.rejects(
      async () => backup.end(),
      (error) =>
        isTsbkError(error, 'page-checksum') && error.message.endsWith(`: ${row?.path} block 1`),
    );
    const lenient = await source.open({ ...REQUEST, verifyChecksums: false }, { signal: FOREVER });
    for await (const item of lenient.items()) assert.ok(item.kind);
    assert.ok((await lenient.end()).stopLsn > lenient.start.startLsn);
    await lenient[Symbol.asyncDispose]();
  });
}

async function spoil(path: string, offset: number): Promise<void> {
  const file = await open(path, 'r+');
  await file.write(Buffer.from('damaged'), 0, 7, offset);
  await file.close();
}

const SLOW: BackupRequest = { ...REQUEST, maxRateBytes: 1024 * 1024 };

for (const version of [13, 17] as const) {
  it(`a standby promoted in mid-stream on ${version} ends the backup with server-promoted`, async () => {
    await using primary = await startPostgres({ version });
    await using standby = await startStandby(primary);
    const source = protocolSource(await connectionOf(standby), noReport);
    await using backup = await source.open(SLOW, { signal: FOREVER });
    await assert.rejects(
      async () => {
        let promoted = false;
        for await (const item of backup.items()) {
          if (promoted || item.kind === 'manifest') continue;
          promoted = true;
          await standby.query('select pg_promote(false)');
        }
        await backup.end();
      },
      (error) => isTsbkError(error, 'server-promoted'),
    );
    await eventually('end of recovery', async () => {
      const rows = await standby.query<{ r: boolean }>('select pg_is_in_recovery() as r');
      return rows[0]?.r === false || undefined;
    });
    await using session = await openReplicationSession(await connectionOf(standby), {
      signal: FOREVER,
    });
    const history = await timelineHistory(session, 2);
    assert.equal(history?.fileName, '00000002.history');
    assert.match(history.content.toString(), /^1\t[0-9A-F]+\/[0-9A-F]+\t/);
  });
}

describe('a backup under way', () => {
  let server: Server;
  before(async () => {
    // A checkpoint that is spread takes as long as it may.
    server = await startPostgres({ version: 17, settings: { checkpoint_timeout: '1h' } });
    await server.query(
      "create table big as select n, repeat('x', 900) as pad from generate_series(1, 150000) as n",
    );
  });
  after(async () => server.close());

  async function walsender(): Promise<{ pid: number; wait: string | null } | undefined> {
    const rows = await server.query<{ pid: number; wait: string | null }>(
      "select pid, wait_event as wait from pg_stat_activity where backend_type = 'walsender'",
    );
    return rows[0];
  }

  it('makes the server wait while nobody reads, and memory stays as it is', async () => {
    const source = protocolSource(await connectionOf(server), noReport);
    await using backup = await source.open(REQUEST, { signal: FOREVER });
    const items = backup.items()[Symbol.asyncIterator]();
    await items.next();
    const rssBefore = process.memoryUsage.rss();
    await eventually('the server waiting for the client', async () =>
      (await walsender())?.wait === 'ClientWrite' ? true : undefined,
    );
    assert.ok(process.memoryUsage.rss() - rssBefore < 48 * 1024 * 1024);
    // The whole database would have fitted in a buffer without a bound by now; it comes only now.
    let bytes = 0;
    for (let next = await items.next(); next.done !== true; next = await items.next()) {
      for await (const chunk of next.value.body) bytes += chunk.length;
    }
    assert.ok(bytes > 140 * 1024 * 1024);
    await backup.end();
  });

  it('is aborted on the server when the signal asks for it', async () => {
    const abort = new AbortController();
    const reason = new Error('enough');
    const source = protocolSource(await connectionOf(server), noReport);
    await using backup = await source.open(SLOW, { signal: abort.signal });
    await assert.rejects(
      async () => {
        for await (const item of backup.items()) {
          assert.ok(item.kind);
          setImmediate(() => abort.abort(reason));
        }
      },
      (error) => error === reason,
    );
    await eventually('the end of the walsender', async () =>
      (await walsender()) === undefined ? true : undefined,
    );
  });

  it('is aborted on the server also while that waits for its checkpoint', async () => {
    await server.query('create table dirty as select generate_series(1, 100000) as n');
    const abort = new AbortController();
    const reason = new Error('enough');
    const source = protocolSource(await connectionOf(server), noReport);
    const opening = source.open({ ...REQUEST, checkpoint: 'spread' }, { signal: abort.signal });
    await eventually('the wait for the checkpoint', async () =>
      (await walsender())?.wait === 'CheckpointDone' ? true : undefined,
    );
    abort.abort(reason);
    await assert.rejects(opening, (error) => error === reason);
    await eventually('the end of the walsender', async () =>
      (await walsender()) === undefined ? true : undefined,
    );
  });

  it('is aborted on the server when it is disposed of before its end', async () => {
    const source = protocolSource(await connectionOf(server), noReport);
    {
      await using backup = await source.open(SLOW, { signal: FOREVER });
      assert.ok(backup.start.startLsn > 0n);
    }
    await eventually('the end of the walsender', async () =>
      (await walsender()) === undefined ? true : undefined,
    );
  });

  it('cannot be had from a signal that was aborted before', async () => {
    const reason = new Error('never mind');
    const source = protocolSource(await connectionOf(server), noReport);
    await assert.rejects(
      async () => source.open(REQUEST, { signal: AbortSignal.abort(reason) }),
      (error) => error === reason,
    );
  });

  for (const [what, kill] of [
    ['its walsender is killed', async () => process.kill((await walsender())?.pid ?? 0, 'SIGKILL')],
    ['the server is killed', async () => server.stop('kill')],
  ] as const) {
    it(`ends with connection-lost when ${what}`, async () => {
      const source = protocolSource(await connectionOf(server), noReport);
      // After a crash of one of its processes the server restarts all of them.
      await using backup = await eventually('recovery', async () =>
        source.open(SLOW, { signal: FOREVER }).catch(() => undefined),
      );
      await assert.rejects(
        async () => {
          let killed = false;
          for await (const item of backup.items()) {
            assert.ok(item.kind);
            if (!killed) await kill();
            killed = true;
          }
        },
        (error) => isTsbkError(error, 'connection-lost'),
      );
    });
  }
});
