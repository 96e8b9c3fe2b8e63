import { DatabaseError } from 'pg-protocol';
import type { Client } from 'pg';
import { TsbkError, isTsbkError, messageOf } from '../kernel/errors.ts';
import { noticeOf } from './connect-error.ts';
import type { ConnectionSettings, HostSettings } from './connection-settings.ts';
import { openFirst } from './open-first.ts';
import { openHost, type OpenedHost } from './open-host.ts';
import { backendKeyOf, requestCancel } from './request-cancel.ts';
import { serverError } from './server-error.ts';
import type { ServerVersion } from './server-version.ts';

/** Values as PostgreSQL's text, by column name. */
export type TextRow = Readonly<Record<string, string | null>>;

/** An ordinary session. One query runs at a time; further ones wait for their turn. */
export interface SqlSession extends AsyncDisposable {
  /** Which of the hosts it is: see `onlyHost`. */
  readonly host: HostSettings;
  readonly version: ServerVersion;
  readonly parameters: ReadonlyMap<string, string>;
  /**
   * Runs one statement; parameters are `$1`, `$2`…. Throws `server-denied`, `server-error`,
   * `connection-lost`, or the reason of the signal the session was opened with.
   */
  query<Row extends TextRow>(text: string, values?: readonly (string | null)[]): Promise<Row[]>;
  /** The value of a setting, as `SHOW` prints it. */
  show(name: string): Promise<string>;
  /** Aborts, with `connection-lost`, when the connection ends without having been closed. */
  readonly lost: AbortSignal;
  /** Ends the session, and first the statement that the server is still at. */
  close(): Promise<void>;
}

/** Limits that a role or database may have set: they must not end a backup's session. */
const NO_TIME_LIMITS = `
  select pg_catalog.set_config(name, '0', false) from pg_catalog.pg_settings
  where name in ('statement_timeout', 'lock_timeout', 'transaction_timeout',
                 'idle_in_transaction_session_timeout', 'idle_session_timeout')`;

/**
 * Opens a session for SQL at the first host that fits, without time limits. The signal ends it
 * whenever it aborts. Throws what `openHost` throws.
 */
export async function openSqlSession(
  settings: ConnectionSettings,
  { signal }: { readonly signal: AbortSignal },
): Promise<SqlSession> {
  const session = await openFirst(settings, async (host) =>
    sqlSession(await openHost(settings, host, { kind: 'sql', signal }), settings, signal),
  );
  try {
    await session.query(NO_TIME_LIMITS);
    return session;
  } catch (error) {
    await session.close();
    throw error;
  }
}

function sqlSession(
  opened: OpenedHost,
  settings: ConnectionSettings,
  signal: AbortSignal,
): SqlSession {
  const { host, wire, client, version } = opened;
  const lost = new AbortController();
  let last: Promise<unknown> = Promise.resolve();
  let running = 0;
  let closed = false;
  wire.socket.once('close', () => {
    if (!closed) lost.abort(connectionLost('it was closed'));
  });
  const query: SqlSession['query'] = <Row extends TextRow>(
    text: string,
    values: readonly (string | null)[] = [],
  ) => {
    running += 1;
    const turn = last
      .then(() => run<Row>(client, text, values, signal))
      .finally(() => {
        running -= 1;
      });
    last = turn.catch(() => undefined);
    return turn;
  };
  const close = async (): Promise<void> => {
    closed = true;
    const key = backendKeyOf(opened);
    if (running > 0 && key !== undefined) await requestCancel(host, settings.tls, key);
    await wire.close();
  };
  return {
    host,
    version,
    parameters: wire.parameters,
    query,
    lost: lost.signal,
    show: async (name) => {
      const [row] = await query<{ setting: string }>(
        'select pg_catalog.current_setting($1) as setting',
        [name],
      );
      return row?.setting ?? '';
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function run<Row extends TextRow>(
  client: Client,
  text: string,
  values: readonly (string | null)[],
  signal: AbortSignal,
): Promise<Row[]> {
  signal.throwIfAborted();
  try {
    const result = await client.query<Row>(text, [...values]);
    return result.rows;
  } catch (error) {
    signal.throwIfAborted();
    if (isTsbkError(error)) throw error;
    if (error instanceof DatabaseError) throw serverError('PostgreSQL', noticeOf(error), error);
    throw connectionLost(messageOf(error), error);
  }
}

function connectionLost(why: string, cause?: unknown): TsbkError {
  return new TsbkError('connection-lost', `the connection to PostgreSQL was lost: ${why}`, {
    cause,
    hint: 'See the log of the PostgreSQL server and check the network between.',
  });
}
