import { parseLsn, type Lsn } from '../kernel/lsn.ts';
import type { TimelineId } from '../kernel/wal-file.ts';
import type { BackupEnd, BackupRequest, BackupStart, Tablespace } from '../ports/backup-source.ts';
import type { Report } from '../ports/report.ts';
import { separateCopies, singleCopy, type NextMessage } from './archive-events.ts';
import { BackupNotices } from './backup-notices.ts';
import { baseBackupCommand, MAJOR_WITH_OPTION_LIST } from './base-backup-command.ts';
import { unexpected, type RawRow, type ReplicationSession } from './replication-session.ts';
import { splitArchives, type Archive } from './split-archives.ts';

/** A BASE_BACKUP under way. Its session belongs to it until `end` has resolved. */
export interface BaseBackup {
  readonly start: BackupStart;
  /** Tablespaces, then the data directory, then the manifest. To be iterated once. */
  archives(): AsyncIterable<Archive>;
  /**
   * The server's last word, after all archives: only when it resolves is there a backup. Throws
   * `page-checksum`, `server-promoted`, `connection-lost`, `server-error`.
   */
  end(): Promise<BackupEnd>;
  /** Texts of the server's warnings so far, the first thousand of them. */
  warnings(): readonly string[];
}

/**
 * Starts a base backup. Resolves when the server has made its checkpoint and says where the backup
 * starts; with checkpoint `spread` that can take many minutes. After any error the session must be
 * closed.
 */
export async function runBaseBackup(
  session: ReplicationSession,
  request: BackupRequest,
  report: Report,
): Promise<BaseBackup> {
  const notices = new BackupNotices(report);
  session.onNotice = (notice) => notices.add(notice);
  const { major } = session.version;
  await session.send(baseBackupCommand(request, major));
  const { lsn, timeline } = positionOf(await session.readResult('BASE_BACKUP'));
  const rows = (await session.readResult('BASE_BACKUP')).map(tablespaceRowOf);
  const spaces = rows.map(({ tablespace }) => tablespace);
  const next = errorsThrown(session, notices);
  const events =
    major >= MAJOR_WITH_OPTION_LIST ? singleCopy(next, spaces) : separateCopies(next, spaces);
  const estimatedBytes = sum(rows.map(({ kib }) => kib));
  return {
    start: {
      startLsn: lsn,
      timeline,
      tablespaces: spaces.filter((space) => space !== undefined),
      ...(estimatedBytes === undefined ? {} : { estimatedBytes }),
    },
    archives: () => splitArchives(events),
    end: async () => {
      if ((await events.next()).done !== true) throw new Error('archives were left unread');
      return readEnd(next);
    },
    warnings: () => notices.warnings(),
  };
}

/**
 * Messages of the session, its errors thrown. The end row comes before the verdict on checksums, so
 * only `complete` for BASE_BACKUP itself means success.
 */
function errorsThrown(session: ReplicationSession, notices: BackupNotices): NextMessage {
  const wasStandby = session.parameters.get('in_hot_standby') === 'on';
  return async () => {
    const message = await session.next();
    if (message.kind !== 'error') return message;
    // That it was promoted comes as a parameter after the error.
    const { severity } = message.notice;
    if (severity !== 'FATAL' && severity !== 'PANIC') await session.hearOut('BASE_BACKUP');
    const promoted = wasStandby && session.parameters.get('in_hot_standby') === 'off';
    throw notices.failure(message.notice, promoted);
  };
}

async function readEnd(next: NextMessage): Promise<BackupEnd> {
  const rows: RawRow[] = [];
  let completed = 0;
  for (;;) {
    const message = await next();
    if (message.kind === 'row' && rows.length === 0) rows.push(message.values);
    else if (message.kind === 'complete') completed += 1;
    else if (message.kind === 'ready') break;
    else if (message.kind !== 'columns') throw unexpected('BASE_BACKUP', message.kind);
  }
  // One for the row, one for the command.
  if (completed !== 2) throw unexpected('BASE_BACKUP', 'no end');
  const { lsn, timeline } = positionOf(rows);
  return { stopLsn: lsn, timeline };
}

function positionOf(rows: readonly RawRow[]): { lsn: Lsn; timeline: TimelineId } {
  const [lsnText, timelineText] = (rows[0] ?? []).map((value) => value?.toString() ?? '');
  const lsn = parseLsn(lsnText ?? '');
  const timeline = Number(timelineText);
  if (lsn === undefined || !(timeline > 0)) throw unexpected('BASE_BACKUP', 'no WAL position');
  return { lsn, timeline };
}

interface TablespaceRow {
  /** `undefined` for the data directory. */
  readonly tablespace: Tablespace | undefined;
  readonly kib: number | undefined;
}

function tablespaceRowOf(row: RawRow): TablespaceRow {
  const [oid, location, size] = row.map((value) => value?.toString());
  const kib = size === undefined ? undefined : Number(size);
  if (oid === undefined) return { tablespace: undefined, kib };
  if (!/^\d{1,10}$/.test(oid) || location === undefined) {
    throw unexpected('BASE_BACKUP', 'a tablespace without number or place');
  }
  return { tablespace: { oid: Number(oid), location }, kib };
}

/** Bytes in all, if the server said them and they are a number one can count to. */
function sum(kib: readonly (number | undefined)[]): number | undefined {
  const bytes = kib.reduce<number>((total, size) => total + (size ?? Number.NaN) * 1024, 0);
  return Number.isSafeInteger(bytes) && bytes >= 0 ? bytes : undefined;
}
