import { numberOf, type NameIndex } from '../../kernel/name-index.ts';
import type { TreePath } from '../../kernel/tree-path.ts';
import { readFilesMetadata } from '../files-metadata.ts';
import type { Repository, RunOptions } from '../repository.ts';

/** What the tars of a backup have of a file that the newest one of its chain lists. */
export const TURN = {
  /** Nothing that a restore needs. */
  none: 0,
  whole: 1,
  /** Some of its pages. */
  pages: 2,
} as const;

/**
 * Which backup of a chain has what of each file. The newest one's list of files is the list of what
 * is restored; a chain of one is a full backup.
 */
export interface Roll {
  /** By `listedPath`. */
  readonly names: NameIndex;
  /** A `TURN` for each name, of each backup, the newest first. */
  readonly turns: readonly Uint8Array[];
}

const LEADING = /^(?:\.?\/)+/;
const ASCII = /^[\0-\x7F]*$/;

/**
 * The path that a listed name means: WAL-G's local backups write a slash before it, its remote ones
 * do not, and a chain may have both. Names that lead elsewhere come out as something no tar's
 * member can have.
 */
export function listedPath(name: string): TreePath {
  const path = name.replace(LEADING, '').replace(/\/$/, '');
  const text = ASCII.test(path) ? path : Buffer.from(path).toString('latin1');
  return text as TreePath;
}

/** The name of a number, as the backup lists it. Reads its list once more. */
export async function nameOf(
  repository: Repository,
  list: { readonly backup: string; readonly names: NameIndex; readonly number: number },
  { signal }: RunOptions,
): Promise<string> {
  let found: string | undefined;
  await readFilesMetadata(repository, list.backup, {
    signal,
    onFile: ({ name }) => {
      if (numberOf(list.names, listedPath(name)) === list.number) found ??= name;
    },
  });
  return found ?? 'what its records listed when the restore began';
}
