import type { Lsn } from '../kernel/lsn.ts';
import type { TreePath } from '../kernel/tree-path.ts';
import { PAGE_BYTES, Pages, SEGMENT_PAGES } from '../format/page.ts';
import type { DataFile } from '../cluster/data-directory.ts';
import type { DamagedPages } from '../ports/files.ts';

/** Verifies the pages of one file while they pass. */
export interface PageCheck {
  /**
   * Looks at pages that were just read into `bytes` from `position` on, whole ones. A page that is
   * wrong is read again, into the same place: it may have been caught while it was written.
   */
  look(bytes: Uint8Array, position: number): void;
  /** What is wrong with the file, `undefined` if nothing is. */
  damage(): DamagedPages | undefined;
}

/** Whoever has more wrong blocks than this in one file is not helped by their numbers. */
const BLOCKS_MAX = 1000;
const U32 = 0x1_0000_0000n;

/**
 * Files that hold pages with checksums: relations, all forks, by the names and places that
 * PostgreSQL gives them. The number at the end is the segment's.
 */
const RELATION =
  /^(?:global|base\/\d+|pg_tblspc\/\d+\/PG_[^/]+\/\d+)\/\d+(?:_(?:fsm|vm|init))?(?:\.(\d+))?$/;

/**
 * The check for a file, `undefined` for one that has no checksums. Pages changed from `before` on
 * are not judged, nor are new ones: recovery writes them again (`verify_page_checksum` in the
 * server's `basebackup.c`).
 */
export function pageCheck(path: TreePath, file: DataFile, before: Lsn): PageCheck | undefined {
  const match = RELATION.exec(path);
  if (match === null) return undefined;
  const firstBlock = Number(match[1] ?? 0) * SEGMENT_PAGES;
  const high = Number(before / U32);
  const low = Number(before % U32);
  const blocks: number[] = [];
  let count = 0;

  const isRight = (pages: Pages, at: number, position: number): boolean =>
    pages.isNew(at) ||
    !pages.isOlder(at, high, low) ||
    pages.computed(at, firstBlock + position / PAGE_BYTES) === pages.stored(at);

  return {
    look: (bytes, position) => {
      const pages = new Pages(bytes);
      for (let at = 0; at < bytes.length; at += PAGE_BYTES) {
        if (isRight(pages, at, position + at)) continue;
        const again = bytes.subarray(at, at + PAGE_BYTES);
        const got = file.read(again, position + at);
        // Cut off meanwhile: recovery does the same.
        if (got < PAGE_BYTES) again.fill(0, got);
        if (got < PAGE_BYTES || isRight(pages, at, position + at)) continue;
        count += 1;
        if (blocks.length < BLOCKS_MAX) blocks.push((position + at) / PAGE_BYTES);
      }
    },
    damage: () => (count === 0 ? undefined : { path, blocks, count }),
  };
}
