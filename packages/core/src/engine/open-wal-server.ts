import { TsbkError } from '../kernel/errors.ts';
import { parseLsn, type Lsn } from '../kernel/lsn.ts';
import type { SystemId } from '../kernel/system-id.ts';
import type { TimelineId } from '../kernel/wal-file.ts';
import type { WalCopies } from '../ports/wal-copies.ts';
import { loadConnection } from '../postgres/load-connection.ts';
import { readServerFacts } from '../postgres/server-facts.ts';
import { serverWal } from '../postgres/server-wal.ts';
import { openSqlSession, type SqlSession } from '../postgres/sql-session.ts';

/** A server and where in the WAL it is. */
export interface WalServer extends AsyncDisposable {
  readonly inRecovery: boolean;
  readonly timeline: TimelineId;
  /** The next byte it writes, or receives. */
  readonly lsn: Lsn;
  /** Up to here its WAL is on its disk. */
  readonly flushLsn: Lsn;
  readonly systemId: SystemId | undefined;
  readonly segmentBytes: number | undefined;
  readonly copies: WalCopies;
}

const POSITION = `
  select case when pg_catalog.pg_is_in_recovery()
    then greatest(pg_catalog.pg_last_wal_receive_lsn(), pg_catalog.pg_last_wal_replay_lsn())
    else pg_catalog.pg_current_wal_lsn() end as lsn,
  case when pg_catalog.pg_is_in_recovery()
    then pg_catalog.pg_last_wal_receive_lsn()
    else pg_catalog.pg_current_wal_flush_lsn() end as flushed`;

/** Asks the server that libpq's variables name where it is. Throws what opening a session throws. */
export async function openWalServer(request: {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
}): Promise<WalServer> {
  const connection = await loadConnection(request.environment);
  const session = await openSqlSession(connection, { signal: request.signal });
  try {
    return await positionOf(session);
  } catch (error) {
    await session.close();
    throw error;
  }
}

async function positionOf(session: SqlSession): Promise<WalServer> {
  const facts = await readServerFacts(session);
  const [row] = await session.query<{ lsn: string | null; flushed: string | null }>(POSITION);
  const lsn = parseLsn(row?.lsn ?? '');
  if (lsn === undefined || facts.timeline === undefined) {
    throw new TsbkError('server-error', 'the server does not say where in the WAL it is', {
      hint: 'Give --timeline and --lsn.',
    });
  }
  return {
    inRecovery: facts.inRecovery,
    timeline: facts.timeline,
    lsn,
    flushLsn: parseLsn(row?.flushed ?? '') ?? (0n as Lsn),
    systemId: facts.systemId,
    segmentBytes: facts.walSegmentBytes,
    copies: serverWal(session),
    [Symbol.asyncDispose]: () => session.close(),
  };
}
