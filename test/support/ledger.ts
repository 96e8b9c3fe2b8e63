import { parseLsn, type Lsn } from '@tsbk/core/kernel/lsn';
import type { Server } from './postgres.ts';

/** What one client was promised: transactions that the server has acknowledged. */
export interface Ledger {
  /** Stops the client, however it stands with its server; gives the number of commits. */
  stop(): Promise<number>;
  /** How many were acknowledged so far. */
  count(): number;
  /** The last transaction that was acknowledged before the server's WAL had reached an LSN. */
  lastBefore(lsn: Lsn): number;
}

/** A client that commits numbers one after the other and keeps count. It ends with its server. */
export async function startLedger(server: Server, padBytes = 200): Promise<Ledger> {
  const session = await server.client();
  await session.query('create table if not exists ledger (n int primary key, pad text)');
  const [{ last } = { last: 0 }] = (
    await session.query<{ last: number }>('select coalesce(max(n), 0) as last from ledger')
  ).rows;
  let count = last;
  let running = true;
  const ends: Lsn[] = [];
  const work = (async () => {
    while (running) {
      const next = count + 1;
      await session.query(
        'insert into ledger values ($1::int, repeat(md5(($1::int)::text), $2::int))',
        [next, padBytes >> 5],
      );
      count = next;
      const { rows } = await session.query<{ lsn: string }>(
        'select pg_current_wal_flush_lsn() as lsn',
      );
      const lsn = parseLsn(rows[0]?.lsn ?? '');
      if (lsn !== undefined) ends.push(lsn);
    }
  })().catch(() => undefined);
  return {
    count: () => count,
    lastBefore: (lsn) => last + ends.filter((end) => end <= lsn).length,
    stop: async () => {
      running = false;
      await work;
      await session.end().catch(() => undefined);
      return count;
    },
  };
}

/** The last number of a ledger on a restored server, none of which may be missing before it. */
export async function lastOfLedger(server: Server): Promise<number> {
  const [row] = await server.query<{ last: number; rows: number }>(
    'select max(n) as last, count(*)::int as rows from ledger',
  );
  if (row === undefined || row.last !== row.rows) {
    throw new Error(`of ${row?.last} transactions only ${row?.rows} are there`);
  }
  return row.last;
}
