import { isTsbkError, TsbkError } from '../kernel/errors.ts';
import type { BackupServer, ServerIdentity } from '../ports/backup-server.ts';
import type { BackupSource } from '../ports/backup-source.ts';
import type { Report } from '../ports/report.ts';
import {
  onlyHost,
  type ConnectionSettings,
  type HostSettings,
} from '../postgres/connection-settings.ts';
import { identifySystem } from '../postgres/identify-system.ts';
import { loadConnection } from '../postgres/load-connection.ts';
import { openFilesSource, type OpenedSource } from './open-files-source.ts';
import { protocolSource } from '../postgres/protocol-source.ts';
import {
  openReplicationSession,
  type ReplicationSession,
} from '../postgres/replication-session.ts';
import { describeArchiver } from '../postgres/describe-archiver.ts';
import { listDatabases, listRelations } from '../postgres/list-relations.ts';
import { readServerFacts, type ServerFacts } from '../postgres/server-facts.ts';
import { openSqlSession, type SqlSession } from '../postgres/sql-session.ts';

/** A server to back up: the stream comes from `source`, the rest is asked of `server`. */
export interface OpenedServer extends AsyncDisposable {
  readonly source: BackupSource;
  readonly server: BackupServer;
}

interface ServerRequest {
  /** The environment, with what options and settings file add. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The data directory to read; the server sends it if absent. */
  readonly dataDirectory?: string | undefined;
  readonly report: Report;
  readonly signal: AbortSignal;
}

/**
 * Connects to the server that libpq's variables name. A role with LOGIN and REPLICATION is enough;
 * an ordinary session only makes records and messages better, so its absence is just reported. To
 * read the data directory takes more: see `openFilesSource`.
 */
export async function openServer(request: ServerRequest): Promise<OpenedServer> {
  const { signal, report } = request;
  const connection = await loadConnection(request.environment);
  const session = await openOptionalSession(connection, { signal, report });
  try {
    const facts = session === undefined ? undefined : await readServerFacts(session);
    const same = session === undefined ? connection : onlyHost(connection, session.host);
    const opened =
      request.dataDirectory === undefined
        ? await openStream(same, { facts, signal, report })
        : await openFilesSource({ connection: same, session, facts }, request.dataDirectory);
    return {
      source: opened.source,
      server: {
        identity: opened.identity,
        summarizesWal: opened.summarizesWal,
        archiverState: async () => (session === undefined ? undefined : describeArchiver(session)),
        databases: async () => (session === undefined ? undefined : listDatabases(session)),
        relations: (database, options) => listRelations(same, database, options),
      },
      [Symbol.asyncDispose]: async () => session?.[Symbol.asyncDispose](),
    };
  } catch (error) {
    await session?.[Symbol.asyncDispose]();
    throw error;
  }
}

async function openStream(
  connection: ConnectionSettings,
  options: {
    readonly facts: ServerFacts | undefined;
    readonly signal: AbortSignal;
    readonly report: Report;
  },
): Promise<OpenedSource> {
  const { identity, host, summarizesWal } = await readIdentity(
    connection,
    options.facts,
    options.signal,
  );
  const source = protocolSource(onlyHost(connection, host), options.report);
  return { identity, source, summarizesWal };
}

async function openOptionalSession(
  connection: ConnectionSettings,
  { signal, report }: { readonly signal: AbortSignal; readonly report: Report },
): Promise<SqlSession | undefined> {
  try {
    return await openSqlSession(connection, { signal });
  } catch (error) {
    if (!isTsbkError(error, 'server-denied')) throw error;
    report({
      kind: 'warning',
      code: 'no-sql-session',
      text: `no ordinary session, going on with replication alone: ${error.message}`,
    });
    return undefined;
  }
}

const MAJOR_WITH_SUMMARIES = 17;

/** What a walsender tells anybody who may connect to it, completed by what SQL told. */
async function readIdentity(
  connection: ConnectionSettings,
  facts: ServerFacts | undefined,
  signal: AbortSignal,
): Promise<{
  readonly identity: ServerIdentity;
  readonly host: HostSettings;
  readonly summarizesWal: boolean;
}> {
  await using session = await openReplicationSession(connection, { signal });
  const { systemId } = await identifySystem(session);
  if (facts?.systemId !== undefined && facts.systemId !== systemId) {
    throw new TsbkError('wrong-system-id', 'two connections reached two different clusters', {
      hint: 'Name one host in PGHOST, or set PGTARGETSESSIONATTRS=primary.',
    });
  }
  const segmentBytes = sizeOf(await session.show('wal_segment_size'));
  const mode = Number.parseInt(await session.show('data_directory_mode'), 8);
  const identity = {
    systemId,
    versionNumber: session.version.number,
    segmentBytes,
    inRecovery: facts?.inRecovery ?? (await isStandby(session)),
    dataDirectoryMode: mode,
    dataDirectory: facts?.dataDirectory,
  };
  const summarizesWal =
    session.version.major >= MAJOR_WITH_SUMMARIES && (await session.show('summarize_wal')) === 'on';
  return { identity, host: session.host, summarizesWal };
}

/** 14 and later say it themselves; before that a session that cannot write is a sign of it. */
async function isStandby(session: ReplicationSession): Promise<boolean> {
  const said = session.parameters.get('in_hot_standby');
  return (said ?? (await session.show('transaction_read_only'))) === 'on';
}

const UNITS: Readonly<Record<string, number>> = { B: 1, kB: 1024, MB: 1024 ** 2, GB: 1024 ** 3 };

/** `SHOW` prints sizes with PostgreSQL's units: `16MB`, `1GB`. */
function sizeOf(text: string): number {
  const [, number, unit = ''] = /^(\d+)([A-Za-z]+)$/.exec(text) ?? [];
  const factor = UNITS[unit];
  if (factor !== undefined) return Number(number) * factor;
  throw new TsbkError('protocol-violation', `the server says its WAL segments have ${text}`);
}
