import type { TreePath } from '../kernel/tree-path.ts';
import type { TreePlace } from '../ports/extract.ts';
import { pathBytes } from '../format/tree-path.ts';

/** What lies in a tablespace, with its OID. */
export const TABLESPACE_PATH = /^pg_tblspc\/(\d+)(?:\/|$)/;

/** Where a path really is: files of tablespaces are there, not behind the links to them. */
export function locate(
  { root, tablespaces }: Pick<TreePlace, 'root' | 'tablespaces'>,
  path: TreePath,
): Buffer {
  const match = TABLESPACE_PATH.exec(path);
  const location = tablespaces.get(match?.[1] ?? '');
  if (match === null || location === undefined) return pathBytes(root, path);
  return pathBytes(location, path.slice(match[0].length) as TreePath);
}
