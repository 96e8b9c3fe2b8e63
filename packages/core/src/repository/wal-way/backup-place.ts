import { parseBackupName } from '../../kernel/backup-name.ts';
import { TsbkError } from '../../kernel/errors.ts';
import { parseSegment, segmentStart } from '../../kernel/wal-file.ts';
import { stopLsnOf } from '../backup-facts.ts';
import type { BackupSummary } from '../catalog.ts';
import type { BackupPlace } from './timeline-plan.ts';

/** Where a backup stands in the WAL, from its records; its name tells what they lack. */
export function placeOf(backup: BackupSummary, segmentBytes: number): BackupPlace {
  const segment = parseSegment(parseBackupName(backup.name)?.segment ?? '', segmentBytes);
  const recorded = backup.sentinel.startLsn ?? backup.metadata?.startLsn;
  if (segment === undefined) {
    throw new TsbkError('record-invalid', `${backup.name} is not named as backups are`, {
      hint: 'Its name must hold the segment in which it began. If segments are not of 16 MiB, set WALG_PG_WAL_SIZE.',
    });
  }
  const startLsn = recorded ?? segmentStart(segment.number, segmentBytes);
  const stopLsn = stopLsnOf(backup) ?? startLsn;
  return { name: backup.name, timeline: segment.timeline, startLsn, stopLsn };
}
