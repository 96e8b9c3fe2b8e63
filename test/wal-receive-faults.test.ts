/** `tsbk wal-receive` when timelines change, the store is away, WAL is removed, and others archive too. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseLsn, type Lsn } from '@tsbk/core/kernel/lsn';
import { archiveEverything, startArchivingServer } from './support/archiving-server.ts';
import { siteOf } from './support/backup-site.ts';
import { eventually } from './support/eventually.ts';
import { openModelStore } from './support/model-store.ts';
import { startPostgres, startStandby, type Server } from './support/postgres.ts';
import { startReceiver } from './support/receiver.ts';
import { openTestStore } from './support/store.ts';
import { filesBelow } from './support/wal-commands.ts';

async function lsnOf(server: Server): Promise<Lsn> {
  const [row] = await server.query<{ lsn: string }>('select pg_current_wal_flush_lsn() as lsn');
  const lsn = parseLsn(row?.lsn ?? '');
  assert.ok(lsn !== undefined);
  return lsn;
}

const pidOfWalsender = async (server: Server): Promise<number | undefined> => {
  const [row] = await server.query<{ pid: number }>(
    "select pid from pg_stat_replication where application_name = 'tsbk' and state = 'streaming'",
  );
  return row?.pid;
};

describe('wal-receive', () => {
  it('follows a standby through its promotion, without a gap', async () => {
    await using store = await openTestStore('directory');
    const root = store.env['WALG_FILE_PREFIX'] ?? '';
    await using primary = await startPostgres({ version: 17, walSegmentMb: 1 });
    await primary.query("create table t as select 'before' as x");
    await using standby = await startStandby(primary);
    await using receiver = await startReceiver(standby, store);
    await receiver.flushed(await lsnOf(primary));
    const site = siteOf(primary, store.env);
    await site.push();
    await primary.query("insert into t select 'old ' || g from generate_series(1, 10000) g");
    const end = await lsnOf(primary);
    await receiver.flushed(end);
    await primary.stop('kill');
    await standby.query('select pg_promote()');
    await standby.query("insert into t values ('after')");
    await receiver.flushed(await lsnOf(standby));
    assert.equal((await receiver.status())?.timeline, 2);
    await standby.stop('kill');
    assert.equal((await receiver.stop()).code, 143);
    const files = filesBelow(`${root}/wal_005`);
    assert.ok(files.includes('00000002.history.lz4'), files.join(' '));
    assert.ok(files.some((name) => /^00000001[0-9A-F]{16}\.partial\.lz4$/.test(name)));
    await using restored = await site.restore();
    const rows = await restored.server.query(
      "select count(*)::int as n, count(*) filter (where x = 'after')::int as after from t",
    );
    assert.deepEqual(rows, [{ n: 10_002, after: 1 }]);
  });

  it('holds its connection while the store is away for longer than the server would wait', async () => {
    await using store = await openModelStore();
    await using server = await startPostgres({
      version: 17,
      walSegmentMb: 1,
      settings: { wal_sender_timeout: '1s' },
    });
    await using receiver = await startReceiver(server, store, {
      env: { TSBK_RECEIVE_FLUSH: '20ms' },
    });
    await receiver.flushed(await lsnOf(server));
    const pid = await pidOfWalsender(server);
    assert.ok(pid !== undefined);
    store.breakDown({ kind: 'status', status: 503, code: 'SlowDown' });
    // More than the receiver has room for: it stops to read, and must be heard all the same.
    await server.query(
      'create table t as select repeat(md5(g::text), 8) as x from generate_series(1, 40000) g',
    );
    await sleep(3000);
    const before = await receiver.status();
    assert.ok((parseLsn(before?.flushLsn ?? '') ?? 0n) < (await lsnOf(server)));
    assert.equal(await pidOfWalsender(server), pid);
    store.recover();
    await receiver.flushed(await lsnOf(server));
    assert.equal(await pidOfWalsender(server), pid);
  });

  it('says exactly what is missing when the server has removed WAL, and goes on', async () => {
    await using store = await openTestStore('directory');
    const settings = { max_slot_wal_keep_size: '1MB', max_wal_size: '2MB', min_wal_size: '2MB' };
    await using server = await startPostgres({ version: 14, walSegmentMb: 1, settings });
    const receiver = await startReceiver(server, store);
    await receiver.flushed(await lsnOf(server));
    await receiver.stop('SIGKILL');
    const [first] = await server.query<{ name: string }>(
      'select pg_walfile_name(pg_current_wal_flush_lsn()) as name',
    );
    for (let segment = 0; segment < 6; segment += 1) {
      await server.query("select pg_logical_emit_message(false, 'x', 'y')");
      await server.query('select pg_switch_wal()');
    }
    await server.query('checkpoint');
    await server.query('checkpoint');
    await using again = await startReceiver(server, store);
    await again.said(/\[wal-hole\]/);
    await again.said(/\[slot-lost\]/);
    await again.flushed(await lsnOf(server));
    const missing = (await again.status())?.missing ?? [];
    const [row] = await server.query<{ kept: string[] }>(
      "select array_agg(name) as kept from pg_ls_waldir() where name ~ '^[0-9A-F]{24}$'",
    );
    assert.equal(missing[0], first?.name);
    assert.ok(missing.length >= 2);
    assert.deepEqual(
      missing.filter((name) => row?.kept.includes(name)),
      [],
    );
  });

  it('runs beside archive_command, and neither gets in the way of the other', async () => {
    await using store = await openTestStore('directory');
    const root = store.env['WALG_FILE_PREFIX'] ?? '';
    await using server = await startArchivingServer(store, { version: 14, walSegmentMb: 1 });
    await using receiver = await startReceiver(server, store, {
      env: { TSBK_RECEIVE_FLUSH: '20ms' },
    });
    await server.query(
      'create table t as select md5(g::text) as x from generate_series(1, 60000) g',
    );
    const last = await archiveEverything(server);
    await receiver.flushed(await lsnOf(server));
    const [stat] = await server.query<{ failed: number }>(
      'select failed_count::int as failed from pg_stat_archiver',
    );
    assert.equal(stat?.failed, 0);
    assert.doesNotMatch(receiver.stderr(), /warning(?!.*\[slot-unbounded\])/);
    assert.equal((await receiver.stop()).code, 143);
    const files = filesBelow(root);
    assert.ok(files.includes(`wal_005/${last}.lz4`));
    const pieces = files.filter((name) => name.startsWith('tsbk_wal_pieces/'));
    assert.ok(
      pieces.every((name) => (name.split('/')[1] ?? '') > last),
      pieces.join(' '),
    );
  });

  it('takes a slot that is not there for an error until it is told to make it', async () => {
    await using store = await openTestStore('directory');
    await using server = await startPostgres({ version: 17, walSegmentMb: 1 });
    await using receiver = await startReceiver(server, store, { args: [] });
    const run = await eventually('it ends', async () => receiver.stop('SIGCONT'));
    assert.equal(run.code, 1);
    assert.match(run.stderr, /no replication slot walg \[slot-missing\]/);
    assert.match(run.stderr, /--create-slot/);
  });
});
