import type { Lsn } from '../kernel/lsn.ts';
import type { TimelineId } from '../kernel/wal-file.ts';
import { backupFrom } from './backup-label.ts';
import { labelLines, type WalLocation } from './label-lines.ts';

/**
 * What a backup history file (`<segment>.<offset>.backup` in the archive) says: a primary writes
 * one at the end of each backup. Recovery does not need it.
 */
export interface BackupHistory {
  readonly start: WalLocation;
  readonly stop: WalLocation;
  readonly checkpointLsn: Lsn;
  readonly from: 'primary' | 'standby';
  /** For people: in the server's `log_timezone`. */
  readonly startTime: string | undefined;
  readonly stopTime: string | undefined;
  readonly label: string | undefined;
  readonly startTimeline: TimelineId;
  readonly stopTimeline: TimelineId;
}

/** Reads a backup history file. Throws `record-invalid`, naming `what`. */
export function parseBackupHistory(content: Uint8Array, what: string): BackupHistory {
  const lines = labelLines(content, what);
  return {
    start: lines.location('START WAL LOCATION'),
    stop: lines.location('STOP WAL LOCATION'),
    checkpointLsn: lines.lsn('CHECKPOINT LOCATION'),
    from: backupFrom(lines),
    startTime: lines.optionalText('START TIME'),
    stopTime: lines.optionalText('STOP TIME'),
    label: lines.optionalText('LABEL'),
    startTimeline: lines.timeline('START TIMELINE'),
    stopTimeline: lines.timeline('STOP TIMELINE'),
  };
}
