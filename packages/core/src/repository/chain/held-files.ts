import { TsbkError } from '../../kernel/errors.ts';
import type { TreePath } from '../../kernel/tree-path.ts';
import { parseBackupLabel } from '../../format/backup-label.ts';
import { parseControlFile } from '../../format/control-file.ts';
import type { Lsn } from '../../kernel/lsn.ts';
import type { SystemId } from '../../kernel/system-id.ts';

/** A small file that is placed by itself, after everything else. */
export interface HeldFile {
  readonly bytes: Uint8Array;
  readonly mode: number;
}

/**
 * `pg_control`, `backup_label` and `tablespace_map`, kept back until the rest is in place. WAL-G's
 * remote backups hold `pg_control` twice, and its local ones may hold a stale `backup_label` of the
 * server's directory beside the real one: what comes from a tar of its own wins.
 */
export interface HeldFiles {
  hold(path: TreePath, file: HeldFile, fromLastTar: boolean): void;
  get(path: 'global/pg_control' | 'backup_label' | 'tablespace_map'): HeldFile | undefined;
}

/** What the records say of the backup that they are of. */
export interface HeldBackup {
  readonly name: string;
  readonly systemId: SystemId | undefined;
  readonly startLsn: Lsn;
}

const PATHS: ReadonlySet<string> = new Set(['global/pg_control', 'backup_label', 'tablespace_map']);
/** Held files are 8 KiB, a dozen lines, a line for each tablespace. */
export const HELD_BYTES_MAX = 16 * 1024 * 1024;

/** Whether the file at this path is to be held. */
export function isHeld(path: TreePath): boolean {
  return PATHS.has(path);
}

/** Makes an empty set of them. */
export function heldFiles(): HeldFiles {
  const held = new Map<string, HeldFile & { readonly fromLastTar: boolean }>();
  return {
    hold: (path, file, fromLastTar) => {
      const before = held.get(path);
      if (before === undefined || (fromLastTar && !before.fromLastTar)) {
        held.set(path, { ...file, fromLastTar });
      }
    },
    get: (path) => held.get(path),
  };
}

/**
 * The control file, which must be there, whole and of the backup's cluster: otherwise the server
 * would not start, or start as another one. Throws `backup-incomplete` and `object-corrupt`.
 */
export function requireControl(held: HeldFiles, backup: HeldBackup): HeldFile {
  const file = held.get('global/pg_control');
  if (file === undefined) throw lacks(backup, 'global/pg_control');
  const { systemId } = parseControlFile(file.bytes);
  if (backup.systemId === undefined || backup.systemId === systemId) return file;
  throw mixed(backup, `its pg_control is of the cluster ${systemId}, not ${backup.systemId}`);
}

/**
 * The label, which must be there and of this backup: without it the server would take the copy for
 * a crashed one and recover from the wrong place. Throws `backup-incomplete` and `object-corrupt`.
 */
export function requireLabel(held: HeldFiles, backup: HeldBackup): HeldFile {
  const file = held.get('backup_label');
  if (file === undefined) throw lacks(backup, 'backup_label');
  const { start, incrementalFrom } = parseBackupLabel(file.bytes, `${backup.name}: backup_label`);
  if (incrementalFrom !== undefined)
    throw mixed(backup, 'its backup_label is of an incremental one');
  if (start.lsn === backup.startLsn) return file;
  throw mixed(backup, `its backup_label says that it starts elsewhere (${start.segment})`);
}

function lacks({ name }: HeldBackup, what: string): TsbkError {
  return new TsbkError('backup-incomplete', `${name} has no ${what}`, {
    hint: 'Choose another backup (tsbk backup-list).',
  });
}

function mixed({ name }: HeldBackup, problem: string): TsbkError {
  return new TsbkError('object-corrupt', `${name} is not what its records say: ${problem}`, {
    hint: 'Two backups were stored under one name, or its objects were replaced. Choose another one.',
  });
}
