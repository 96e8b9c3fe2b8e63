/** A receiver whose store is away must not fill the disk of the server. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TsbkError } from '@tsbk/core/kernel/errors';
import type { BlobStore } from '@tsbk/core/ports/blob-store';
import type { ReportEvent } from '@tsbk/core/ports/report';
import type { ReceiveContext } from '@tsbk/core/receive/context';
import { receiveWal } from '@tsbk/core/receive/receive-wal';
import { emptyStatus } from '@tsbk/core/receive/status';
import { realClock } from './support/clock.ts';
import { eventually } from './support/eventually.ts';
import { connectionOf, startPostgres } from './support/postgres.ts';
import { tempDirectory } from './support/temp-directory.ts';
import { openDirectory } from './support/walg-cases.ts';

/** So many times as fast as the machine's. */
const SPEED = 20;

const clock = {
  now: () => realClock.now(),
  monotonicMs: () => realClock.monotonicMs() * SPEED,
  sleep: (ms: number, options: { readonly signal: AbortSignal }) =>
    realClock.sleep(ms / SPEED, options),
};

test('a slot that makes the server keep too much is dropped if that is asked for, and receiving goes on', async () => {
  await using directory = await tempDirectory();
  await using server = await startPostgres({ version: 17, walSegmentMb: 1 });
  const opened = await openDirectory(directory.path);
  let isAway = false;
  const store: BlobStore = {
    ...opened.store,
    put: async (key, bytes, options) => {
      if (isAway) throw new TsbkError('store-unreachable', 'the store is away');
      return await opened.store.put(key, bytes, options);
    },
  };
  const events: ReportEvent[] = [];
  const stop = new AbortController();
  const hard = new AbortController();
  const context: ReceiveContext = {
    repository: { ...opened, store },
    request: {
      connection: await connectionOf(server),
      createSlot: true,
      flushMs: 100,
      flushBytes: 1024 * 1024,
      scratchDirectory: directory.path,
      lagBytesMax: 2 * 1024 * 1024,
      lagAction: 'drop-slot',
    },
    status: emptyStatus('tsbk_lag'),
    clock,
    report: (event) => void events.push(event),
    stop: stop.signal,
    signal: hard.signal,
  };
  const slots = async (): Promise<number> =>
    (await server.query('select 1 from pg_replication_slots where slot_name = $1', ['tsbk_lag']))
      .length;
  const running = receiveWal(context);
  await eventually('it streams', async () => context.status.flushLsn);
  assert.equal(await slots(), 1);
  isAway = true;
  await server.query(
    'create table t as select repeat(md5(g::text), 8) as x from generate_series(1, 40000) g',
  );
  await eventually('the slot is dropped', async () => ((await slots()) === 0 ? true : undefined));
  const [row] = await server.query<{ lsn: string }>(
    "select (pg_current_wal_flush_lsn() - '0/0')::text as lsn",
  );
  isAway = false;
  await eventually('it catches up', async () =>
    (context.status.flushLsn ?? 0n) >= BigInt(row?.lsn ?? 0) ? true : undefined,
  );
  assert.equal(context.status.slot, undefined);
  const warnings = events.flatMap((event) => (event.kind === 'warning' ? [event.code] : []));
  assert.ok(warnings.includes('slot-given-up'), warnings.join());
  stop.abort(new TsbkError('interrupted', 'stopped'));
  await running;
});
