import { rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseLsn } from '@tsbk/core/kernel/lsn';
import { siteOf } from '@tsbk/test/support/backup-site';
import { eventually } from '@tsbk/test/support/eventually';
import { startPostgres, type PostgresVersion, type Server } from '@tsbk/test/support/postgres';
import { childrenOf } from '@tsbk/test/support/process-tree';
import { startReceiver, type Receiver } from '@tsbk/test/support/receiver';
import { openTestStore } from '@tsbk/test/support/store';
import type { Loss } from '../results.ts';

const LOAD_MS = 8000;
const CLIENTS = 4;
const ROW_BYTES = 256;

/** One client: when each of its transactions was acknowledged. */
interface Client {
  readonly id: number;
  readonly ackedMs: number[];
  readonly ended: Promise<void>;
}

async function startClient(server: Server, id: number): Promise<Client> {
  const session = await server.client();
  const ackedMs: number[] = [];
  const ended = (async () => {
    for (;;) {
      await session.query('insert into acked values ($1, $2, repeat(md5(random()::text), $3))', [
        id,
        ackedMs.length + 1,
        ROW_BYTES >> 5,
      ]);
      ackedMs.push(performance.now());
    }
  })().catch(() => undefined);
  return { id, ackedMs, ended };
}

/** Nobody in it gets to do anything any more. */
function killAll(server: Server): void {
  for (const pid of [server.pid, ...childrenOf(server.pid)]) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended by itself.
    }
  }
}

async function untilDrained(receiver: Receiver): Promise<void> {
  // It says so when it has stored what it had and turns to connecting again.
  await receiver.said(/server-unreachable|cannot be reached/);
}

export interface LossTask {
  readonly round: number;
  /** Or it is killed together with the server, as if it ran on the same machine. */
  readonly receiver: Loss['receiver'];
  readonly version: PostgresVersion;
}

/**
 * What is lost with a primary and its disk while `tsbk wal-receive` streams into an S3 server. Clients commit
 * as fast as they can and keep count of what was acknowledged; then every process of the server is killed
 * at once and its directory is removed; a restore from the repository alone tells what is there.
 */
export async function measureLoss(task: LossTask): Promise<Loss> {
  const { round, receiver } = task;
  try {
    return { round, receiver, ...(await lose(task)) };
  } catch (error) {
    return { round, receiver, error: error instanceof Error ? error.message : String(error) };
  }
}

async function lose({
  receiver: fate,
  version,
}: LossTask): Promise<Omit<Loss, 'round' | 'receiver'>> {
  await using store = await openTestStore('s3');
  await using server = await startPostgres({ version, settings: { fsync: 'on' } });
  await using receiver = await startReceiver(server, store);
  const site = siteOf(server, store.env);
  await server.query('create table acked (client int, n int, pad text, primary key (client, n))');
  // Rows of any length reach the WAL as long as they are.
  await server.query('alter table acked alter column pad set storage external');
  await eventually('it streams', async () => (await receiver.status())?.flushLsn ?? undefined);
  await site.push();
  const [from] = await server.query<{ lsn: string }>('select pg_current_wal_lsn() as lsn');
  const startMs = performance.now();
  const running = await Promise.all(
    Array.from({ length: CLIENTS }, (_, id) => startClient(server, id)),
  );
  await sleep(LOAD_MS + Math.random() * 1000);
  const [to] = await server.query<{ lsn: string }>('select pg_current_wal_lsn() as lsn');
  const survives = fate === 'survives';
  const killMs = performance.now();
  killAll(server);
  if (!survives) process.kill(receiver.pid, 'SIGKILL');
  await Promise.all(running.map(({ ended }) => ended));
  await server.stop('kill');
  rmSync(server.dataDir, { recursive: true, force: true, maxRetries: 20 });
  if (survives) await untilDrained(receiver);
  await receiver.stop('SIGKILL');
  await using restored = await site.restore();
  const kept = await restored.server.query<{ client: number; last: number; rows: number }>(
    'select client, max(n) as last, count(*)::int as rows from acked group by client',
  );
  let lost = 0;
  let firstLostMs = killMs;
  for (const { id, ackedMs } of running) {
    const row = kept.find(({ client }) => client === id);
    if (row !== undefined && row.last !== row.rows)
      throw new Error('there is a hole in the middle');
    const last = row?.last ?? 0;
    lost += Math.max(0, ackedMs.length - last);
    firstLostMs = Math.min(firstLostMs, ackedMs[last] ?? killMs);
  }
  const acknowledged = running.reduce((sum, { ackedMs }) => sum + ackedMs.length, 0);
  const seconds = (killMs - startMs) / 1000;
  const walBytes = Number((parseLsn(to?.lsn ?? '') ?? 0n) - (parseLsn(from?.lsn ?? '') ?? 0n));
  return {
    perSecond: Math.round(acknowledged / seconds),
    walMiBPerSecond: Number((walBytes / seconds / 1024 ** 2).toFixed(2)),
    acknowledged,
    lost,
    windowMs: Math.round(killMs - firstLostMs),
  };
}
