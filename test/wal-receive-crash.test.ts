/** `tsbk wal-receive` killed at chosen calls of the store, and a primary that is replaced by its standby. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseLsn, toLsn, type Lsn } from '@tsbk/core/kernel/lsn';
import { formatSegment, segmentStart } from '@tsbk/core/kernel/wal-file';
import { findWal } from '@tsbk/core/repository/wal-archive';
import { openPieces } from '@tsbk/core/repository/wal-pieces';
import { siteOf } from './support/backup-site.ts';
import { eventually } from './support/eventually.ts';
import { startPostgres, startStandby, type Server } from './support/postgres.ts';
import { startReceiver } from './support/receiver.ts';
import { openTestStore } from './support/store.ts';
import { serverFolder } from './support/wal-commands.ts';
import { openDirectory } from './support/walg-cases.ts';

const MIB = 1024 * 1024;
const { signal } = new AbortController();

/** Before the call and after it, of everything that the receiver asks of a store. */
const FAILPOINTS = [
  'put:3:kill',
  'put-done:4:kill',
  'stat:15:kill',
  'list:2:kill',
  'remove:1:kill',
  'remove-done:2:kill',
  'put-done:9:kill',
];

async function lsnOf(server: Server): Promise<Lsn> {
  const [row] = await server.query<{ lsn: string }>('select pg_current_wal_flush_lsn() as lsn');
  const lsn = parseLsn(row?.lsn ?? '');
  assert.ok(lsn !== undefined);
  return lsn;
}

/** Up to where a reader of the repository alone gets, from a segment that is in it on. */
async function provenFrom(root: string, first: bigint): Promise<Lsn> {
  const repository = await openDirectory(root);
  for (let number = first; ; number += 1n) {
    const name = formatSegment({ timeline: 1, number }, MIB);
    if ((await findWal(repository, name, { signal })) !== undefined) continue;
    const prefix = await openPieces(repository, name, { signal });
    if (prefix?.bytes === MIB) continue;
    return toLsn(segmentStart(number, MIB) + BigInt(prefix?.bytes ?? 0));
  }
}

describe('wal-receive', () => {
  it('killed at any call of the store has promised nothing that is not there', async () => {
    await using store = await openTestStore('directory');
    const root = store.env['WALG_FILE_PREFIX'] ?? '';
    await using server = await startPostgres({ version: 17, walSegmentMb: 1 });
    const state = serverFolder('state');
    const first = await startReceiver(server, store, { state });
    await first.flushed(await lsnOf(server));
    const site = siteOf(server, store.env);
    const { startLsn } = await site.push();
    await first.stop();
    const begin = (parseLsn(startLsn) ?? 0n) / BigInt(MIB);
    await server.query('create table t (x text)');
    let rows = 0;
    for (const failpoint of FAILPOINTS) {
      const env = { TSBK_FAILPOINT: failpoint, TSBK_RECEIVE_FLUSH: '10ms' };
      const receiver = await startReceiver(server, store, { state, env });
      let ended = false;
      const end = receiver.ended.then(() => (ended = true));
      for (let tries = 0; !ended && tries < 100; tries += 1) {
        await server.query(
          'insert into t select repeat(md5(g::text), 4) from generate_series(1, 1000) g',
        );
        rows += 1000;
        await Promise.race([end, new Promise((resolve) => setTimeout(resolve, 30))]);
      }
      assert.ok(ended, `${failpoint} was never met`);
      const promised = parseLsn((await receiver.status())?.flushLsn ?? '') ?? 0n;
      assert.ok(promised <= (await provenFrom(root, begin)), `${failpoint}: less is there`);
    }
    await using last = await startReceiver(server, store, { state });
    await last.flushed(await lsnOf(server));
    await server.stop('kill');
    await last.stop('SIGKILL');
    await using restored = await site.restore();
    const counted = await restored.server.query('select count(*)::int as rows from t');
    assert.deepEqual(counted, [{ rows }]);
  });

  it('goes on with the standby that has become the primary', async () => {
    await using store = await openTestStore('directory');
    await using primary = await startPostgres({ version: 17, walSegmentMb: 1 });
    await primary.query("create table t as select 'before' as x");
    await using standby = await startStandby(primary);
    const env = {
      PGHOST: `${primary.socketDir},${standby.socketDir}`,
      PGPORT: `${primary.port},${standby.port}`,
      PGTARGETSESSIONATTRS: 'read-write',
    };
    await using receiver = await startReceiver(primary, store, { env });
    await receiver.flushed(await lsnOf(primary));
    const site = siteOf(primary, store.env);
    await site.push();
    await primary.query("insert into t select 'old ' || g from generate_series(1, 20000) g");
    const end = await lsnOf(primary);
    await receiver.flushed(end);
    await eventually('the standby has it', async () => {
      const [row] = await standby.query<{ lsn: string }>('select pg_last_wal_replay_lsn() as lsn');
      return (parseLsn(row?.lsn ?? '') ?? 0n) >= end ? true : undefined;
    });
    await primary.stop('kill');
    await standby.query('select pg_promote()');
    await standby.query("insert into t values ('after')");
    await receiver.flushed(await lsnOf(standby));
    await standby.stop('kill');
    await receiver.stop();
    await using restored = await site.restore();
    const rows = await restored.server.query(
      "select count(*)::int as n, count(*) filter (where x = 'after')::int as after from t",
    );
    assert.deepEqual(rows, [{ n: 20_002, after: 1 }]);
  });
});
