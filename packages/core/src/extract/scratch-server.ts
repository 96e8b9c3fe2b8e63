import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isTsbkError, TsbkError } from '../kernel/errors.ts';
import type { ConnectionSettings } from '../postgres/connection-settings.ts';
import { parseConnection } from '../postgres/parse-connection.ts';
import { openSqlSession } from '../postgres/sql-session.ts';
import { startChildServer, type ChildServer } from '../programs/child-server.ts';
import type { Installation } from '../programs/installation.ts';
import type { SystemUser } from '../programs/run-as.ts';
import type { RunOptions } from '../repository/repository.ts';
import { SCRATCH_PORT } from './server-files.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** A server that has recovered and can be asked. */
export interface ScratchServer extends AsyncDisposable {
  /** How a session of ours gets into a database. */
  connection(database: string): ConnectionSettings;
  /** The same for a program of PostgreSQL's. */
  environment(database: string): Environment;
}

interface ScratchPlace {
  readonly root: string;
  readonly sockets: string;
  readonly dataDirectory: string;
  readonly conf: string;
  readonly installation: Installation;
}

interface ScratchOptions extends RunOptions {
  readonly user: SystemUser | undefined;
  readonly role: string;
  readonly environment: Environment;
}

/** Longer than any recovery that somebody waits for. */
const RECOVERY_MS = 7 * 24 * 3_600_000;
const ASK_MS = 250;

/**
 * Starts a server and waits until it has recovered and can be written to. Throws `extract-failed`
 * when it ends before that, `server-denied` when the role does not exist, or the signal's reason.
 */
export async function startScratchServer(
  { root, sockets, dataDirectory, conf, installation }: ScratchPlace,
  { user, role, environment, signal }: ScratchOptions,
): Promise<ScratchServer> {
  const ofClient = {
    PGHOST: sockets,
    PGPORT: String(SCRATCH_PORT),
    PGUSER: role,
    PGSSLMODE: 'disable',
    PGGSSENCMODE: 'disable',
    PGPASSFILE: join(root, 'no-passwords'),
  };
  const connection = (database: string): ConnectionSettings =>
    parseConnection({ ...ofClient, PGDATABASE: database }, { home: root });
  const program = join(installation.directory, 'postgres');
  const child = startChildServer({
    command: [program, '-D', dataDirectory, '-c', `config_file=${conf}`],
    environment: withoutClient(environment),
    user,
    logFile: join(root, 'server.log'),
  });
  try {
    const timeUp = AbortSignal.timeout(RECOVERY_MS);
    await untilRecovered(child, connection('template1'), AbortSignal.any([signal, timeUp]));
  } catch (error) {
    await child[Symbol.asyncDispose]();
    throw error;
  }
  return {
    connection,
    environment: (database) => ({
      ...ofClient,
      PGDATABASE: database,
      PATH: environment['PATH'],
      LC_ALL: 'C',
    }),
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  };
}

async function untilRecovered(
  child: ChildServer,
  connection: ConnectionSettings,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    signal.throwIfAborted();
    await child.requireAlive();
    try {
      if (await hasRecovered(connection, signal)) return;
    } catch (error) {
      signal.throwIfAborted();
      if (isTsbkError(error, 'server-denied')) throw denied(error, connection.user);
      const isEarly =
        isTsbkError(error, 'server-unreachable') || isTsbkError(error, 'connection-lost');
      if (!isEarly) throw error;
    }
    await sleep(ASK_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

/** By itself: the bundler's `await using` keeps the error of one turn of a loop for the next one. */
async function hasRecovered(connection: ConnectionSettings, signal: AbortSignal): Promise<boolean> {
  await using session = await openSqlSession(connection, { signal });
  const [row] = await session.query('select pg_catalog.pg_is_in_recovery()::text as answer');
  return row?.['answer'] === 'false';
}

function denied(error: TsbkError, role: string): TsbkError {
  return new TsbkError('server-denied', `${error.message}; asked as ${role}`, {
    cause: error,
    hint: "Name a superuser of the backup's cluster: --username ROLE, or PGUSER.",
  });
}

/** What belongs to clients would be taken for the server's own (`PGDATA`), and is not its business. */
function withoutClient(environment: Environment): Environment {
  const own = Object.entries(environment).filter(([name]) => !name.startsWith('PG'));
  return Object.fromEntries(own);
}
