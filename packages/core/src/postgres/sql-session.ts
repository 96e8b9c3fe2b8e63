import { DatabaseError } from 'pg-protocol';
import type { Client } from 'pg';
import { TsbkError, isTsbkError, messageOf } from '../kernel/errors.ts';
import { noticeOf } from './connect-error.ts';
import type { ConnectionSettings, HostSettings } from './connection-settings.ts';
import { openFirst } from './open-first.ts';
import { openHost, type OpenedHost } from './open-host.ts';
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
    sqlSession(await openHost(settings, host, { kind: 'sql', signal }), signal),
  );
  try {
    await session.query(NO_TIME_LIMITS);
    return session;
  } catch (error) {
    await session.close();
    throw error;
  }
}

function sqlSession({ host, wire, client, version }: OpenedHost, signal: AbortSignal): SqlSession {
  let last: Promise<unknown> = Promise.resolve();
  const query: SqlSession['query'] = <Row extends TextRow>(
    text: string,
    values: readonly (string | null)[] = [],
  ) => {
    const turn = last.then(() => run<Row>(client, text, values, signal));
    last = turn.catch(() => undefined);
    return turn;
  };
  const close = async (): Promise<void> => {
    await wire.close();
  };
  return {
    host,
    version,
    parameters: wire.parameters,
    query,
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
    throw new TsbkError(
      'connection-lost',
      `the connection to PostgreSQL was lost: ${messageOf(error)}`,
      {
        cause: error,
        hint: 'See the log of the PostgreSQL server and check the network between.',
      },
    );
  }
}
