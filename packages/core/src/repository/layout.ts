/**
 * Object keys of a WAL-G repository (layout version 005), relative to its root. Everything that
 * only tsbk knows is marked as a side object: WAL-G ignores it.
 */
export const BACKUPS_FOLDER = 'basebackups_005/';
export const WAL_FOLDER = 'wal_005/';

const SENTINEL_SUFFIX = '_backup_stop_sentinel.json';

/** The record whose existence makes a backup exist. Written last, deleted first. */
export function sentinelKey(backup: string): string {
  return `${BACKUPS_FOLDER}${backup}${SENTINEL_SUFFIX}`;
}

/** Backup name of a sentinel's key, `undefined` if the key is none. */
export function backupOfSentinelKey(key: string): string | undefined {
  if (!key.startsWith(BACKUPS_FOLDER) || !key.endsWith(SENTINEL_SUFFIX)) return undefined;
  const name = key.slice(BACKUPS_FOLDER.length, -SENTINEL_SUFFIX.length);
  return name === '' || name.includes('/') ? undefined : name;
}

/** Folder of everything of a backup but its sentinel, with the slash at the end. */
export function backupFolder(backup: string): string {
  return `${BACKUPS_FOLDER}${backup}/`;
}

/** Small record: times, host, sizes, permanence. */
export function metadataKey(backup: string): string {
  return `${backupFolder(backup)}metadata.json`;
}

/** Map of every file and of every part. */
export function filesMetadataKey(backup: string): string {
  return `${backupFolder(backup)}files_metadata.json`;
}

/** Folder of the tars, with the slash at the end. */
export function partitionsFolder(backup: string): string {
  return `${backupFolder(backup)}tar_partitions/`;
}

/** Part names without the codec's extension: three digits at least, from 1. */
export function partName(number: number): string {
  return `part_${number.toString().padStart(3, '0')}.tar`;
}

export const PG_CONTROL_TAR = 'pg_control.tar';
export const BACKUP_LABEL_TAR = 'backup_label.tar';

/** Whether a tar must be extracted after all others (WAL-G's two name patterns). */
export function isLastTar(basename: string): boolean {
  return /(?:pg_control|backup_label)\.tar(?:\..*)?$/.test(basename);
}

/** Side object: PostgreSQL's own manifest of the backup, compressed like a tar. */
export function manifestKey(backup: string): string {
  return `${backupFolder(backup)}backup_manifest`;
}

/** Side object: lengths and hashes of the backup's objects, compressed like a tar. */
export function sideRecordKey(backup: string): string {
  return `${backupFolder(backup)}tsbk.json`;
}

/** Side object: claims a backup name for one run, from before its first part to after its sentinel. */
export function claimKey(backup: string): string {
  return `${backupFolder(backup)}tsbk_run.json`;
}

/** Side object in the root: which cluster this repository belongs to. */
export const IDENTITY_KEY = 'tsbk_repository.json';

/** Key of a WAL file without the codec's extension. */
export function walKey(name: string): string {
  return `${WAL_FOLDER}${name}`;
}

/**
 * Side object: SHA-256 of a WAL file's plain content, for codecs that carry no checksum. The name
 * of the codec stands in it so that WAL-G, which strips one extension, sees no segment in it.
 */
export function walDigestKey(name: string, codecName: string): string {
  return `${WAL_FOLDER}${name}.${codecName}.sha256`;
}

/**
 * Folder of side objects that hold the beginnings of WAL segments which are not complete yet: beside
 * the WAL folder, where no tool takes one for a segment.
 */
export const PIECES_FOLDER = 'tsbk_wal_pieces/';

/** Folder of the pieces of one segment, with the slash at the end. */
export function piecesFolder(segment: string): string {
  return `${PIECES_FOLDER}${segment}/`;
}

/** Whether an object is a record that lies in the repository as it is, also where others are encrypted. */
export function isPlainRecord(key: string): boolean {
  if (key === IDENTITY_KEY || (key.startsWith(WAL_FOLDER) && key.endsWith('.sha256'))) return true;
  if (backupOfSentinelKey(key) !== undefined) return true;
  const [, backup, record] = /^basebackups_005\/([^/]+)\/([^/]+)$/.exec(key) ?? [];
  if (backup === undefined || record === undefined) return false;
  return [metadataKey(backup), filesMetadataKey(backup), claimKey(backup)].includes(key);
}

/** Appends a codec's extension as WAL-G ≥ 3.0.9 does: nothing for `none`. */
export function withExtension(base: string, extension: string): string {
  return extension === '' ? base : `${base}.${extension}`;
}
