import { isTsbkError, TsbkError } from '../kernel/errors.ts';
import { parseLsn, type Lsn } from '../kernel/lsn.ts';
import type { ConnectionSettings } from './connection-settings.ts';
import { onlyHost } from './connection-settings.ts';
import type { ReplicationSession } from './replication-session.ts';
import { sqlStateOf } from './server-error.ts';
import { openSqlSession } from './sql-session.ts';

/** What a server says of a slot. */
export interface SlotState {
  /** From here on the server keeps its WAL; `undefined` for a slot that has kept nothing yet. */
  readonly restartLsn: Lsn | undefined;
}

const MAJOR_WITH_READ_SLOT = 15;

/**
 * The state of a physical slot, `undefined` if there is none. 13 and 14 tell it only in an ordinary
 * session; where that is denied, `unknown`.
 */
export async function readSlot(
  session: ReplicationSession,
  slot: string,
  { connection, signal }: { readonly connection: ConnectionSettings; readonly signal: AbortSignal },
): Promise<SlotState | undefined | 'unknown'> {
  if (session.version.major >= MAJOR_WITH_READ_SLOT) {
    const [row] = await session.query(`READ_REPLICATION_SLOT ${slot}`);
    const [type, lsn] = (row ?? []).map((value) => value?.toString());
    if (type === undefined) return undefined;
    return { restartLsn: lsn === undefined ? undefined : parseLsn(lsn) };
  }
  try {
    await using sql = await openSqlSession(onlyHost(connection, session.host), { signal });
    const [row] = await sql.query(
      'select slot_type as type, restart_lsn::text as lsn from pg_catalog.pg_replication_slots where slot_name = $1',
      [slot],
    );
    if (row === undefined) return undefined;
    if (row['type'] !== 'physical') throw notPhysical(slot);
    const lsn = row['lsn'];
    return { restartLsn: typeof lsn === 'string' ? parseLsn(lsn) : undefined };
  } catch (error) {
    // Denied for now, for example by too many connections, is another thing.
    if (isTsbkError(error, 'server-denied') && !error.retry) return 'unknown';
    throw error;
  }
}

function notPhysical(slot: string): TsbkError {
  return new TsbkError('slot-missing', `the replication slot ${slot} is no physical one`, {
    hint: 'It belongs to logical replication. Choose another name (TSBK_SLOTNAME).',
  });
}

/** Makes a physical slot that keeps WAL from now on; `false` if there is one of this name. */
export async function createSlot(session: ReplicationSession, slot: string): Promise<boolean> {
  const command = `CREATE_REPLICATION_SLOT ${slot} PHYSICAL RESERVE_WAL`;
  await session.send(command);
  try {
    await session.readResult(command);
  } catch (error) {
    if (error instanceof TsbkError && sqlStateOf(error) === ALREADY_THERE) return false;
    throw error;
  }
  await session.readToReady(command);
  return true;
}

const ALREADY_THERE = '42710';

/** Drops a slot, once nobody uses it any more; one that is not there is dropped. */
export async function dropSlot(session: ReplicationSession, slot: string): Promise<void> {
  try {
    await session.query(`DROP_REPLICATION_SLOT ${slot} WAIT`);
  } catch (error) {
    if (error instanceof TsbkError && sqlStateOf(error) === NOT_THERE) return;
    throw error;
  }
}

const NOT_THERE = '42704';
