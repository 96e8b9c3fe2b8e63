/**
 * Names of base backups in a WAL-G repository (`base_` + 24-digit start segment, for deltas
 * `_D_` + the parent's start segment; WAL-E added `_` + 8-digit offset).
 */
export interface BackupName {
  readonly text: string;
  /** Start segment: 24 upper-case hexadecimal digits. */
  readonly segment: string;
  /** Start segment of the direct parent, for a delta. */
  readonly parentSegment?: string;
}

const NAME = /^base_([0-9A-F]{24})(?:_D_([0-9A-F]{24}))?(?:_[0-9A-F]{8})?$/;

/** Name of a full backup that starts in `segment`. */
export function fullBackupName(segment: string): BackupName {
  return { text: `base_${segment}`, segment };
}

/** Name of a delta that starts in `segment`, on top of the backup that starts in `parentSegment`. */
export function deltaBackupName(segment: string, parentSegment: string): BackupName {
  return { text: `base_${segment}_D_${parentSegment}`, segment, parentSegment };
}

/** Reads a backup name, `undefined` if it is none. */
export function parseBackupName(text: string): BackupName | undefined {
  const match = NAME.exec(text);
  if (match?.[1] === undefined) return undefined;
  const parent = match[2];
  return { text, segment: match[1], ...(parent === undefined ? {} : { parentSegment: parent }) };
}
