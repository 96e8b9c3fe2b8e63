import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TransactionEnd, WalEnd, WalRecord } from '@tsbk/core/format/wal/wal-record';
import { walRecords, type WalRecordsOptions } from '@tsbk/core/format/wal/records';
import { instantToMs } from '@tsbk/core/kernel/instant';
import { formatLsn, parseLsn, type Lsn } from '@tsbk/core/kernel/lsn';
import { formatSegment, segmentNumberAt, segmentStart } from '@tsbk/core/kernel/wal-file';
import type { ByteSource } from '@tsbk/core/ports/bytes';
import { POSTGRES_VERSIONS, startPostgres, type Server } from './support/postgres.ts';

const SEGMENT_BYTES = 1024 * 1024;

/** What the workload did that a recovery target can name. */
interface Happened {
  readonly kind: 'commit' | 'abort' | 'restore-point';
  readonly xid?: number;
  readonly name?: string;
}

function lsnOf(text: string): Lsn {
  const lsn = parseLsn(text);
  assert.ok(lsn !== undefined, text);
  return lsn;
}

async function currentLsn(server: Server): Promise<Lsn> {
  const [row] = await server.query<{ lsn: string }>('select pg_current_wal_insert_lsn() as lsn');
  return lsnOf(row?.lsn ?? '');
}

async function workload(server: Server): Promise<Happened[]> {
  const happened: Happened[] = [];
  const client = await server.client();
  const run = async (kind: 'commit' | 'abort', statements: readonly string[]): Promise<void> => {
    await client.query('begin');
    const xid = await client.query<{ xid: string }>('select txid_current()::text as xid');
    for (const statement of statements) await client.query(statement);
    await client.query(kind === 'commit' ? 'commit' : 'rollback');
    happened.push({ kind, xid: Number(xid.rows[0]?.xid) });
  };
  const prepared = async (
    kind: 'commit' | 'abort',
    statements: readonly string[],
  ): Promise<void> => {
    await client.query('begin');
    const xid = await client.query<{ xid: string }>('select txid_current()::text as xid');
    for (const statement of statements) await client.query(statement);
    await client.query("prepare transaction 'p'");
    await client.query('create temp table noise (n int)');
    await client.query(`${kind === 'commit' ? 'commit' : 'rollback'} prepared 'p'`);
    await client.query('drop table noise');
    happened.push({ kind, xid: Number(xid.rows[0]?.xid) });
  };
  const subtransactions = Array.from({ length: 300 }, (_, n) => [
    `savepoint s${n}`,
    `insert into t values (${n}, '')`,
  ]).flat();
  await run('commit', ['create table t (n int, x text)']);
  await run('commit', ['select pg_stat_reset()', "insert into t values (1, 'one')"]);
  await run('abort', ["insert into t values (2, 'two')", 'create table gone (n int)']);
  await run('commit', subtransactions);
  await prepared('commit', ['create table u (n int)', ...subtransactions.slice(0, 200)]);
  await prepared('commit', ['drop table u', 'create table v (n int)']);
  await prepared('abort', ['create table w (n int)', ...subtransactions.slice(0, 50)]);
  await client.query("select pg_create_restore_point('here – 行')");
  happened.push({ kind: 'restore-point', name: 'here – 行' });
  await client.query("select pg_logical_emit_message(false, 'p', repeat('long', 700000))");
  await run('commit', [
    "insert into t select n, repeat('x', 100) from generate_series(1, 20000) n",
  ]);
  await client.query('select pg_switch_wal()');
  await run('commit', ['drop table t', 'drop table v']);
  await client.query("select pg_create_restore_point('there')");
  happened.push({ kind: 'restore-point', name: 'there' });
  // A restore point alone is not flushed to disk.
  await run('commit', ['create table last (n int)']);
  return happened;
}

/** The server's own segments, from the one that holds `from`. */
async function* segments(server: Server, from: Lsn, to: Lsn): ByteSource {
  const last = segmentNumberAt(to, SEGMENT_BYTES);
  for (let number = segmentNumberAt(from, SEGMENT_BYTES); number <= last; number += 1n) {
    const name = formatSegment({ timeline: 1, number }, SEGMENT_BYTES);
    const bytes = await readFile(join(server.dataDir, 'pg_wal', name));
    // Odd chunks: borders of records, pages and segments fall everywhere.
    for (let at = 0; at < bytes.length; at += 77_777) yield bytes.subarray(at, at + 77_777);
  }
}

async function walk(
  source: ByteSource,
  options: WalRecordsOptions,
): Promise<{ records: WalRecord[]; end: WalEnd }> {
  const records: WalRecord[] = [];
  for await (const item of walRecords(source, options)) {
    if (item.kind === 'end') return { records, end: item };
    records.push(item);
  }
  throw new Error('the walk has no end');
}

for (const version of POSTGRES_VERSIONS) {
  test(`the walk through WAL of PostgreSQL ${version} finds what the server did`, async () => {
    await using server = await startPostgres({
      version,
      walSegmentMb: 1,
      settings: {
        max_prepared_transactions: '5',
        track_commit_timestamp: 'on',
        max_wal_size: '1GB',
        wal_keep_size: '512MB',
        checkpoint_timeout: '1h',
      },
    });
    await server.query('checkpoint');
    const from = await currentLsn(server);
    const happened = await workload(server);
    const to = await currentLsn(server);
    const start = segmentStart(segmentNumberAt(from, SEGMENT_BYTES), SEGMENT_BYTES);
    const options = { start, segmentBytes: SEGMENT_BYTES };

    const { records, end } = await walk(segments(server, from, to), { ...options, from });
    const commits = records.filter((r): r is TransactionEnd => r.kind === 'commit');
    const found = records.flatMap((r): Happened[] => {
      if (r.kind === 'restore-point') return [{ kind: r.kind, name: r.name }];
      if (r.kind !== 'commit' && r.kind !== 'abort') return [];
      return happened.some(({ xid }) => xid === r.xid) ? [{ kind: r.kind, xid: r.xid }] : [];
    });
    assert.deepEqual(found, happened);
    for (const record of commits) {
      const [row] = await server.query<{ ms: number }>(
        'select (extract(epoch from pg_xact_commit_timestamp($1::text::xid)) * 1000)::float8 as ms',
        [String(record.xid)],
      );
      assert.equal(instantToMs(record.time), Math.floor(row?.ms ?? 0), `xid ${record.xid}`);
    }
    assert.equal(records.filter(({ kind }) => kind === 'switch').length, 1);
    assert.ok(end.lsn >= to, `ends at ${formatLsn(end.lsn)}, the server was at ${formatLsn(to)}`);
    assert.notEqual(end.reason, 'source');

    // Without a known start the walk begins at the first record of the segment.
    const middle = segmentStart(segmentNumberAt(from, SEGMENT_BYTES) + 2n, SEGMENT_BYTES);
    const half = await walk(segments(server, middle, to), { ...options, start: middle });
    assert.equal(half.end.lsn, end.lsn);
    const expected = records.filter(({ lsn }) => lsn >= middle);
    assert.deepEqual(half.records, expected);

    if (version >= 15) await compareWithInspect(server, { from, to, options });
  });
}

async function compareWithInspect(
  server: Server,
  range: { readonly from: Lsn; readonly to: Lsn; readonly options: WalRecordsOptions },
): Promise<void> {
  const { from, to, options } = range;
  await server.query('create extension pg_walinspect');
  const rows = await server.query<{ start_lsn: string; end_lsn: string }>(
    'select start_lsn, end_lsn from pg_get_wal_records_info($1, $2)',
    [formatLsn(from), formatLsn(to)],
  );
  const { records } = await walk(segments(server, from, to), { ...options, from, others: true });
  const ours = records.filter(({ endLsn }) => endLsn <= to);
  assert.deepEqual(
    ours.map((r) => `${formatLsn(r.lsn)} ${formatLsn(r.endLsn)}`),
    rows.map((r) => `${r.start_lsn} ${r.end_lsn}`),
  );
}
