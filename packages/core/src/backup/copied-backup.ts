import type { BackupEnd, Tablespace } from '../ports/backup-source.ts';
import type { Receipt } from '../ports/lanes.ts';
import type { LabelFiles } from '../repository/new-backup/store-labels.ts';
import type { PackedPart } from '../repository/new-backup/open-parts.ts';

/** A backup whose files are stored and whose end the server has confirmed, whatever its source. */
export interface CopiedBackup extends BackupEnd {
  readonly parts: readonly PackedPart[];
  readonly control: Receipt;
  readonly manifest: Receipt;
  readonly labels: LabelFiles;
  readonly tablespaces: readonly Tablespace[];
  /** Payload bytes of all files, of increments where they are that. */
  readonly plainBytes: number;
  /** Bytes of all files in the data directory; `plainBytes` if absent. */
  readonly catalogBytes?: number | undefined;
}
