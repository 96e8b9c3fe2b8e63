import { isTsbkError, TsbkError } from '../kernel/errors.ts';
import { formatLsn, parseLsn, type Lsn } from '../kernel/lsn.ts';
import type { TimelineId } from '../kernel/wal-file.ts';
import { parseBackupLabel } from '../format/backup-label.ts';
import type { BackupRequest, BackupSource, FilesBackup, FilesEnd } from '../ports/backup-source.ts';
import type { ConnectionSettings } from './connection-settings.ts';
import { openSqlSession, type SqlSession, type TextRow } from './sql-session.ts';
import { readWalSummaries } from './wal-summaries.ts';

/** Since this version the functions have other names and know no exclusive backups. */
const MAJOR_RENAMED = 15;

/**
 * Backups of the data directory of the server that `settings` lead to, by its low-level interface
 * (PostgreSQL docs, "Making a Base Backup Using the Low Level API"). Each has a session of its own,
 * on which it depends: the server ends the backup with it. `directory` must be the server's.
 */
export function filesSource(
  settings: ConnectionSettings,
  directory: string,
): BackupSource<FilesBackup> {
  return {
    open: async (request, { signal }) => {
      const session = await openSqlSession(settings, { signal });
      try {
        const inRecovery = await isInRecovery(session);
        const startLsn = await start(session, request);
        const timeline = inRecovery
          ? await restartpointTimeline(session)
          : await timelineAt(session, startLsn);
        const position = { startLsn, timeline };
        return {
          kind: 'files',
          directory,
          start: position,
          lost: session.lost,
          changedIn: (stretches) => readWalSummaries(session, stretches),
          stop: () => stop(session, { ...position, inRecovery }),
          [Symbol.asyncDispose]: () => session.close(),
        };
      } catch (error) {
        await session.close();
        throw error;
      }
    },
  };
}

async function start(session: SqlSession, request: BackupRequest): Promise<Lsn> {
  const old = session.version.major < MAJOR_RENAMED;
  const call = old
    ? 'pg_catalog.pg_start_backup($1, $2::boolean, false)'
    : 'pg_catalog.pg_backup_start($1, $2::boolean)';
  const fast = request.checkpoint === 'fast' ? 'true' : 'false';
  return lsnOf(await only(session, `select (${call})::text as lsn`, [request.label, fast]));
}

/**
 * The files of the answer come as their bytes, whatever the encodings of server, database and
 * client: a location of a tablespace need not be text in any of them.
 */
async function stop(
  session: SqlSession,
  begun: {
    readonly startLsn: Lsn;
    readonly timeline: TimelineId;
    readonly inRecovery: boolean;
  },
): Promise<FilesEnd> {
  const old = session.version.major < MAJOR_RENAMED;
  const call = old ? 'pg_catalog.pg_stop_backup(false, false)' : 'pg_catalog.pg_backup_stop(false)';
  await session.query("select pg_catalog.set_config('client_encoding', 'SQL_ASCII', false)");
  const row = await onlyUnlessPromoted(
    session,
    `select lsn::text as lsn,
       pg_catalog.encode(pg_catalog.textsend(labelfile), 'hex') as label,
       pg_catalog.encode(pg_catalog.textsend(spcmapfile), 'hex') as map
     from ${call}`,
    begun.inRecovery,
  );
  const stopLsn = lsnOf(row);
  const label = Buffer.from(row['label'] ?? '', 'hex');
  const { start: position, timeline: from } = parseBackupLabel(label);
  if (position.lsn !== begun.startLsn || from !== begun.timeline) {
    throw unexpectedAnswer('a label of another backup');
  }
  const timeline = begun.inRecovery
    ? await replayedTimeline(session)
    : await timelineAt(session, stopLsn);
  return { stopLsn, timeline, label, tablespaceMap: Buffer.from(row['map'] ?? '', 'hex') };
}

/** What the server says of a promotion is in its language; what it is now is not. */
async function onlyUnlessPromoted(
  session: SqlSession,
  text: string,
  wasStandby: boolean,
): Promise<TextRow> {
  try {
    return await only(session, text);
  } catch (error) {
    if (!wasStandby || !isTsbkError(error, 'server-error')) throw error;
    if (await isInRecovery(session)) throw error;
    throw new TsbkError('server-promoted', `pg_backup_stop: ${error.message}`, {
      cause: error,
      hint: 'Nothing of this backup can be used. Take a new one.',
    });
  }
}

async function isInRecovery(session: SqlSession): Promise<boolean> {
  const row = await only(session, 'select pg_catalog.pg_is_in_recovery() as answer');
  return row['answer'] === 't';
}

async function timelineAt(session: SqlSession, lsn: Lsn): Promise<TimelineId> {
  const sql = 'select pg_catalog.pg_walfile_name($1::pg_lsn) as name';
  const row = await only(session, sql, [formatLsn(lsn)]);
  return timelineOf(Number.parseInt(row['name']?.slice(0, 8) ?? '', 16));
}

/** Of the last restartpoint, where a backup of a standby begins. */
async function restartpointTimeline(session: SqlSession): Promise<TimelineId> {
  const sql = 'select timeline_id::text as timeline from pg_catalog.pg_control_checkpoint()';
  return timelineOf(Number((await only(session, sql))['timeline']));
}

/** Of the end of what a standby has replayed, which is where a backup of it ends. */
async function replayedTimeline(session: SqlSession): Promise<TimelineId> {
  const sql = `select min_recovery_end_timeline::text as timeline
    from pg_catalog.pg_control_recovery()`;
  return timelineOf(Number((await only(session, sql))['timeline']));
}

function timelineOf(number: number): TimelineId {
  if (!(number > 0)) throw unexpectedAnswer('no timeline');
  return number;
}

function lsnOf(row: TextRow): Lsn {
  const lsn = parseLsn(row['lsn'] ?? '');
  if (lsn === undefined) throw unexpectedAnswer('no WAL position');
  return lsn;
}

async function only(
  session: SqlSession,
  text: string,
  values: readonly string[] = [],
): Promise<TextRow> {
  const [row] = await session.query(text, values);
  return row ?? {};
}

function unexpectedAnswer(what: string): TsbkError {
  return new TsbkError('protocol-violation', `the server answered with ${what}`, {
    hint: 'Connect directly to PostgreSQL, not through a pooler.',
  });
}
