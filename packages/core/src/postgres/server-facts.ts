import { isTsbkError } from '../kernel/errors.ts';
import { toSystemId, type SystemId } from '../kernel/system-id.ts';
import type { TimelineId } from '../kernel/wal-file.ts';
import type { ServerVersion } from './server-version.ts';
import type { SqlSession, TextRow } from './sql-session.ts';

/** What a server says of itself. What the role has no right to see, or the version does not have, is `undefined`. */
export interface ServerFacts {
  readonly version: ServerVersion;
  readonly inRecovery: boolean;
  readonly systemId: SystemId | undefined;
  /** Of the WAL a primary writes; of a standby, the newest it has replayed a restartpoint of. */
  readonly timeline: TimelineId | undefined;
  readonly walSegmentBytes: number | undefined;
  readonly blockBytes: number | undefined;
  readonly dataDirectory: string | undefined;
  /** Permission bits of the data directory: 0o700 or 0o750. */
  readonly dataDirectoryMode: number | undefined;
  readonly dataChecksums: boolean | undefined;
  readonly walLevel: string | undefined;
  readonly archiveMode: string | undefined;
  readonly archiveCommand: string | undefined;
  readonly archiveLibrary: string | undefined;
  readonly summarizeWal: boolean | undefined;
  readonly maxWalSenders: number | undefined;
  readonly role: RoleFacts;
}

/** What the session's role may do. */
export interface RoleFacts {
  readonly name: string;
  readonly superuser: boolean;
  readonly replication: boolean;
  /** Execute `pg_backup_start` and `pg_backup_stop` (before 15 `pg_start_backup` and so on). */
  readonly lowLevelBackup: boolean;
  readonly switchWal: boolean;
  readonly createRestorePoint: boolean;
  readonly readAllSettings: boolean;
}

/** Asks a server for everything `ServerFacts` holds. Nothing in it needs more than LOGIN. */
export async function readServerFacts(session: SqlSession): Promise<ServerFacts> {
  const settings = await readSettings(session);
  const inRecovery = await readInRecovery(session);
  const systemId = await ifAllowed(() => readSystemId(session));
  const timeline = await ifAllowed(() => readTimeline(session, inRecovery));
  return {
    version: session.version,
    inRecovery,
    role: await readRole(session),
    systemId,
    timeline,
    walSegmentBytes: numberOf(settings.get('wal_segment_size')),
    blockBytes: numberOf(settings.get('block_size')),
    dataDirectory: settings.get('data_directory'),
    dataDirectoryMode: octalOf(settings.get('data_directory_mode')),
    dataChecksums: flagOf(settings.get('data_checksums')),
    walLevel: settings.get('wal_level'),
    archiveMode: settings.get('archive_mode'),
    archiveCommand: settings.get('archive_command'),
    archiveLibrary: settings.get('archive_library'),
    summarizeWal: flagOf(settings.get('summarize_wal')),
    maxWalSenders: numberOf(settings.get('max_wal_senders')),
  };
}

/** The view leaves out what the role may not see, where `current_setting` would throw. */
async function readSettings(session: SqlSession): Promise<ReadonlyMap<string, string>> {
  const rows = await session.query<{ name: string; setting: string }>(`
    select name, setting from pg_catalog.pg_settings
    where setting is not null and name in (
      'wal_segment_size', 'block_size', 'data_directory', 'data_directory_mode', 'data_checksums',
      'wal_level', 'archive_mode', 'archive_command', 'archive_library', 'summarize_wal',
      'max_wal_senders')`);
  return new Map(rows.map(({ name, setting }) => [name, setting]));
}

async function readInRecovery(session: SqlSession): Promise<boolean> {
  const row = await only(session, 'select pg_catalog.pg_is_in_recovery() as answer');
  return flagOf(row['answer']) ?? false;
}

async function readSystemId(session: SqlSession): Promise<SystemId | undefined> {
  const row = await only(
    session,
    'select system_identifier as answer from pg_catalog.pg_control_system()',
  );
  return typeof row['answer'] === 'string' ? toSystemId(row['answer']) : undefined;
}

async function readTimeline(
  session: SqlSession,
  inRecovery: boolean,
): Promise<TimelineId | undefined> {
  if (!inRecovery) {
    const row = await only(
      session,
      'select pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()) as answer',
    );
    return Number.parseInt(row['answer']?.slice(0, 8) ?? '', 16);
  }
  const row = await only(
    session,
    `select greatest(c.timeline_id, r.min_recovery_end_timeline) as answer
     from pg_catalog.pg_control_checkpoint() c, pg_catalog.pg_control_recovery() r`,
  );
  return numberOf(row['answer']);
}

async function readRole(session: SqlSession): Promise<RoleFacts> {
  const old = session.version.major < 15;
  const start = old ? 'pg_start_backup(text,boolean,boolean)' : 'pg_backup_start(text,boolean)';
  const stop = old ? 'pg_stop_backup(boolean,boolean)' : 'pg_backup_stop(boolean)';
  const row = await only(
    session,
    `select rolname as name, rolsuper as superuser, rolreplication as replication,
       ${mayExecute(start)} and ${mayExecute(stop)} as backup,
       ${mayExecute('pg_switch_wal()')} as switch_wal,
       ${mayExecute('pg_create_restore_point(text)')} as restore_point,
       pg_catalog.pg_has_role('pg_read_all_settings', 'usage') as settings
     from pg_catalog.pg_roles where rolname = current_user`,
  );
  return {
    name: row['name'] ?? '',
    superuser: flagOf(row['superuser']) ?? false,
    replication: flagOf(row['replication']) ?? false,
    lowLevelBackup: flagOf(row['backup']) ?? false,
    switchWal: flagOf(row['switch_wal']) ?? false,
    createRestorePoint: flagOf(row['restore_point']) ?? false,
    readAllSettings: flagOf(row['settings']) ?? false,
  };
}

function mayExecute(signature: string): string {
  return `pg_catalog.has_function_privilege('pg_catalog.${signature}', 'execute')`;
}

async function only(session: SqlSession, text: string): Promise<TextRow> {
  const [row] = await session.query(text);
  return row ?? {};
}

async function ifAllowed<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (isTsbkError(error, 'server-denied')) return undefined;
    throw error;
  }
}

function numberOf(text: string | null | undefined): number | undefined {
  return text === null || text === undefined || text === '' ? undefined : Number(text);
}

function octalOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number.parseInt(text, 8);
}

function flagOf(text: string | null | undefined): boolean | undefined {
  if (text === null || text === undefined) return undefined;
  return text === 'on' || text === 't';
}
