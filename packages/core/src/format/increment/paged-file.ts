import { PAGE_BYTES } from '../page.ts';

const RELATION = /^\d+(?:\.\d+)?$/;
const NEITHER = /pg_xact|pg_clog|pg_multixact/;

/**
 * Whether WAL-G takes the file for one of pages that may be an increment (walg-format §4.2): main
 * forks of relations below `base` and `pg_tblspc`. Nothing else may be one in a backup of ours
 * either: `--reverse-unpack` fills the pages that an increment left open only in such files. `path`
 * is below the data directory, without a leading slash. WAL-G looks at the absolute path, which
 * only makes it take more; a data directory whose name has one of the other words makes it take none.
 */
export function isPagedFile(path: string, bytes: number): boolean {
  const slash = path.lastIndexOf('/');
  const folder = path.slice(0, slash + 1);
  return (
    (folder.startsWith('base/') || folder.startsWith('pg_tblspc/')) &&
    !NEITHER.test(folder) &&
    RELATION.test(path.slice(slash + 1)) &&
    bytes > 0 &&
    bytes % PAGE_BYTES === 0
  );
}
