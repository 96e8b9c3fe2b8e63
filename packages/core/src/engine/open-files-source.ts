import { lstat, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, systemErrorCode, TsbkError } from '../kernel/errors.ts';
import type { ServerIdentity } from '../ports/backup-server.ts';
import type { BackupSource } from '../ports/backup-source.ts';
import type { ConnectionSettings } from '../postgres/connection-settings.ts';
import { filesSource } from '../postgres/files-source.ts';
import type { ServerFacts } from '../postgres/server-facts.ts';
import type { SqlSession } from '../postgres/sql-session.ts';

/** Where a backup comes from, and of what cluster it is. */
export interface OpenedSource {
  readonly source: BackupSource;
  readonly identity: ServerIdentity;
  /** `undefined` if the server does not say. */
  readonly summarizesWal: boolean | undefined;
}

/** A server whose data directory is to be read, and what an ordinary session at it told. */
interface LocalServer {
  readonly connection: ConnectionSettings;
  readonly session: SqlSession | undefined;
  readonly facts: ServerFacts | undefined;
}

/**
 * Backups of the data directory at `given`, which must be the one of the server: an ordinary session
 * is enough, and no right to replicate is needed. Throws `usage` if
 * it is not, `server-denied` without the rights to begin and end a backup, `file-unreadable`.
 */
export async function openFilesSource(
  { connection, session, facts }: LocalServer,
  given: string,
): Promise<OpenedSource> {
  if (session === undefined) {
    throw new TsbkError('server-denied', 'to read a data directory an ordinary session is needed', {
      hint: 'Let the role connect to a database (PGDATABASE), or leave the directory out: then the server sends it.',
    });
  }
  if (facts?.role.lowLevelBackup !== true) throw mayNotBegin(session);
  const directory = await resolved(given);
  if (!(await isDirectoryOf(session, directory))) throw otherDirectory(given, facts.dataDirectory);
  return {
    source: filesSource(connection, directory),
    identity: identityOf(facts, directory),
    summarizesWal: facts.summarizeWal,
  };
}

function identityOf(facts: ServerFacts, directory: string): ServerIdentity {
  const { systemId, walSegmentBytes, dataDirectoryMode } = facts;
  if (systemId === undefined || walSegmentBytes === undefined || dataDirectoryMode === undefined) {
    throw new TsbkError('server-denied', 'the server does not say which cluster it is', {
      hint: 'GRANT EXECUTE ON FUNCTION pg_control_system() TO <role>, or leave the directory out.',
    });
  }
  return {
    systemId,
    versionNumber: facts.version.number,
    segmentBytes: walSegmentBytes,
    inRecovery: facts.inRecovery,
    dataDirectoryMode,
    dataDirectory: facts.dataDirectory ?? directory,
  };
}

async function resolved(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (systemErrorCode(error) === 'EACCES') throw unreadable(path, error);
    throw new TsbkError('usage', `there is no directory ${path} on this machine`, {
      cause: error,
      hint: 'Run tsbk where the server runs, or leave the directory out: then the server sends it.',
    });
  }
}

/**
 * Whether the session's server works in this directory. Paths and system identifiers do not tell: a
 * standby has the same ones. A snapshot that is exported lies as a file in the server's directory
 * until its transaction ends.
 */
async function isDirectoryOf(session: SqlSession, directory: string): Promise<boolean> {
  await session.query('begin');
  try {
    const [row] = await session.query('select pg_catalog.pg_export_snapshot() as name');
    return await isThere(join(directory, 'pg_snapshots', row?.['name'] ?? ''));
  } finally {
    await session.query('rollback');
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isFile();
  } catch (error) {
    if (systemErrorCode(error) === 'EACCES') throw unreadable(path, error);
    return false;
  }
}

function otherDirectory(given: string, actual: string | undefined): TsbkError {
  const what = actual === undefined ? 'another one' : actual;
  return new TsbkError('usage', `the server's data directory is ${what}, not ${given}`, {
    hint: 'Connect to the server of that directory (PGHOST, PGPORT), on the machine it runs on; or leave the directory out: then the server sends it.',
  });
}

function mayNotBegin({ version }: SqlSession): TsbkError {
  const functions =
    version.major < 15
      ? 'pg_start_backup(text, boolean, boolean), pg_stop_backup(boolean, boolean)'
      : 'pg_backup_start(text, boolean), pg_backup_stop(boolean)';
  return new TsbkError('server-denied', 'the role may not begin and end a backup', {
    hint: `GRANT EXECUTE ON FUNCTION ${functions} TO <role>, or leave the directory out: then REPLICATION is enough.`,
  });
}

function unreadable(path: string, error: unknown): TsbkError {
  return new TsbkError('file-unreadable', `${path} cannot be read: ${messageOf(error)}`, {
    cause: error,
    hint: 'Run tsbk as the user that PostgreSQL runs as.',
  });
}
