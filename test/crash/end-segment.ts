import type { Server } from '../support/postgres.ts';

/**
 * Gives the archiver something to do, which also wakes one that has given up after three failures.
 * By a new session each time: that wakes a postmaster which has no archiver.
 */
export async function endSegment(server: Server): Promise<void> {
  const session = await server.client();
  await session.query("select pg_logical_emit_message(true, 'tsbk', 'end')");
  await session.query('select pg_switch_wal()');
  await session.end();
}
