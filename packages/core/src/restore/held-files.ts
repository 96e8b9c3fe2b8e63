import { TsbkError } from '../kernel/errors.ts';
import type { TreePath } from '../kernel/tree-path.ts';
import { parseBackupLabel } from '../format/backup-label.ts';
import { parseControlFile } from '../format/control-file.ts';
import { formatTablespaceMap, parseTablespaceMap } from '../format/tablespace-map.ts';
import type { PlannedBackup } from './plan.ts';
import type { PlannedTablespace } from './plan-tablespaces.ts';

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

const PATHS: ReadonlySet<string> = new Set(['global/pg_control', 'backup_label', 'tablespace_map']);
/** Held files are 8 KiB, a dozen lines, a line for each tablespace. */
export const HELD_BYTES_MAX = 16 * 1024 * 1024;
/** Where the records do not say: how backslashes are written changed with 14. */
const VERSION_ASSUMED = 140_000;

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
export function requireControl(held: HeldFiles, backup: PlannedBackup): HeldFile {
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
export function requireLabel(held: HeldFiles, backup: PlannedBackup): HeldFile {
  const file = held.get('backup_label');
  if (file === undefined) throw lacks(backup, 'backup_label');
  const { start, incrementalFrom } = parseBackupLabel(file.bytes, `${backup.name}: backup_label`);
  if (incrementalFrom !== undefined)
    throw mixed(backup, 'its backup_label is of an incremental one');
  if (start.lsn === backup.startLsn) return file;
  throw mixed(backup, `its backup_label says that it starts elsewhere (${start.segment})`);
}

/**
 * The tablespace map with the locations of this restore: the server makes its links from it when
 * it starts. Byte for byte the same if nothing was mapped; `undefined` if the backup has none.
 * Throws `record-invalid` for a tablespace of which the backup's records know nothing.
 */
export function mappedTablespaceMap(
  held: HeldFiles,
  {
    backup,
    tablespaces,
  }: { readonly backup: PlannedBackup; readonly tablespaces: readonly PlannedTablespace[] },
): (HeldFile & { readonly isChanged: boolean }) | undefined {
  const file = held.get('tablespace_map');
  if (file === undefined) return undefined;
  const major = Math.floor((backup.pgVersion ?? VERSION_ASSUMED) / 10_000);
  const links = parseTablespaceMap(file.bytes, major);
  const mapped = links.map((link) => {
    const planned = tablespaces.find(({ oid }) => oid === String(link.oid));
    if (planned !== undefined) return { oid: link.oid, location: planned.location };
    if (link.location === `pg_tblspc/${link.oid}`) return link;
    throw new TsbkError(
      'record-invalid',
      `tablespace_map has tablespace ${link.oid} at ${link.location}, the backup's records do not`,
      { hint: `Say where it shall go: --tablespace-mapping ${link.oid}=DIR.` },
    );
  });
  const isChanged = mapped.some(({ location }, index) => location !== links[index]?.location);
  return { ...file, isChanged, bytes: isChanged ? formatTablespaceMap(mapped, major) : file.bytes };
}

function lacks({ name }: PlannedBackup, what: string): TsbkError {
  return new TsbkError('backup-incomplete', `${name} has no ${what}`, {
    hint: 'Choose another backup (tsbk backup-list).',
  });
}

function mixed({ name }: PlannedBackup, problem: string): TsbkError {
  return new TsbkError('object-corrupt', `${name} is not what its records say: ${problem}`, {
    hint: 'Two backups were stored under one name, or its objects were replaced. Choose another one.',
  });
}
