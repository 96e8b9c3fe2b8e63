import type { TreePath } from '../kernel/tree-path.ts';
import type { TreePlace } from '../ports/extract.ts';
import { pathBytes } from '../format/tree-path.ts';

/** What lies in a tablespace, with its OID. */
export const TABLESPACE_PATH = /^pg_tblspc\/(\d+)(?:\/|$)/;
const WAL_PATH = /^pg_wal(?:\/|$)/;

/** Where a path really is: files of tablespaces are there, not behind the links to them. */
export function locate(
  { root, tablespaces, walLocation }: Pick<TreePlace, 'root' | 'tablespaces' | 'walLocation'>,
  path: TreePath,
): Buffer {
  if (walLocation !== undefined && WAL_PATH.test(path)) {
    return pathBytes(walLocation, path.slice('pg_wal/'.length) as TreePath);
  }
  const match = TABLESPACE_PATH.exec(path);
  const location = tablespaces.get(match?.[1] ?? '');
  if (match === null || location === undefined) return pathBytes(root, path);
  return pathBytes(location, path.slice(match[0].length) as TreePath);
}
