import { isTsbkError } from '../kernel/errors.ts';
import type { SqlSession } from './sql-session.ts';

/**
 * One sentence on how archiving goes, from `pg_stat_archiver`; `undefined` when the server does not
 * say (a session that is gone, a standby that archives nothing).
 */
export async function describeArchiver(session: SqlSession): Promise<string | undefined> {
  try {
    const [row] = await session.query(`
      select last_archived_wal, last_failed_wal, failed_count::text,
        (last_failed_time > coalesce(last_archived_time, '-infinity'))::text as failing
      from pg_catalog.pg_stat_archiver`);
    if (row === undefined) return undefined;
    const last = row['last_archived_wal'] ?? 'nothing';
    return row['failing'] === 'true'
      ? `The archiver fails at ${row['last_failed_wal']} (${row['failed_count']} failures), last archived: ${last}`
      : `The archiver reports no failure, last archived: ${last}`;
  } catch (error) {
    if (isTsbkError(error)) return undefined;
    throw error;
  }
}
