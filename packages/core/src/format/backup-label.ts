import type { Lsn } from '../kernel/lsn.ts';
import type { TimelineId } from '../kernel/wal-file.ts';
import { labelLines, type LabelLines, type WalLocation } from './label-lines.ts';

/**
 * What `backup_label` says (PostgreSQL's `read_backup_label`). It must be restored byte for byte;
 * this is for looking at.
 */
export interface BackupLabel {
  /** Where recovery begins. */
  readonly start: WalLocation;
  readonly checkpointLsn: Lsn;
  /** `streamed`, whatever made the backup; `pg_start_backup` of the exclusive kind says `pg_start_backup`. */
  readonly method: string;
  readonly from: 'primary' | 'standby';
  /** For people: in the server's `log_timezone`, with its abbreviation. */
  readonly startTime: string | undefined;
  readonly label: string | undefined;
  readonly timeline: TimelineId;
  /** Where the parent begins, if the backup is incremental (PostgreSQL 17 and later). */
  readonly incrementalFrom: IncrementalParent | undefined;
}

export interface IncrementalParent {
  readonly lsn: Lsn;
  readonly timeline: TimelineId;
}

/** Reads a `backup_label`. Throws `record-invalid`, naming `what`. */
export function parseBackupLabel(content: Uint8Array, what = 'backup_label'): BackupLabel {
  const lines = labelLines(content, what);
  return {
    start: lines.location('START WAL LOCATION'),
    checkpointLsn: lines.lsn('CHECKPOINT LOCATION'),
    method: lines.text('BACKUP METHOD'),
    from: backupFrom(lines),
    startTime: lines.optionalText('START TIME'),
    label: lines.optionalText('LABEL'),
    timeline: lines.timeline('START TIMELINE'),
    incrementalFrom: incrementalFrom(lines),
  };
}

/**
 * The label without the two lines that name a parent: a server must not find them, because what it
 * starts from is whole, and before 17 none knows them. Bytes, because a label need not be UTF-8.
 */
export function withoutParent(content: Uint8Array): Buffer {
  const lines = Buffer.from(content).toString('latin1').split('\n');
  const kept = lines.filter((line) => !/^INCREMENTAL FROM (?:LSN|TLI): /.test(line));
  return Buffer.from(kept.join('\n'), 'latin1');
}

/** PostgreSQL 13 says `master` where later versions say `primary`. */
export function backupFrom(lines: LabelLines): 'primary' | 'standby' {
  return lines.text('BACKUP FROM') === 'standby' ? 'standby' : 'primary';
}

/** Both lines or neither. */
function incrementalFrom(lines: LabelLines): IncrementalParent | undefined {
  if (!lines.has('INCREMENTAL FROM LSN') && !lines.has('INCREMENTAL FROM TLI')) return undefined;
  return {
    lsn: lines.lsn('INCREMENTAL FROM LSN'),
    timeline: lines.timeline('INCREMENTAL FROM TLI'),
  };
}
