import type { Listed } from '../cluster/list-data-directory.ts';
import { isPagedFile } from '../format/increment/paged-file.ts';
import { incrementBytes } from '../format/increment/walg-increment.ts';
import { PAGE_BYTES } from '../format/page.ts';
import type { ChangedBlocks, ChangedRelations } from '../ports/changed-blocks.ts';
import type { KnownFiles } from './parent.ts';

/**
 * A listing with the bytes that will be read of each file in place of its length, where WAL summaries
 * tell: parts are planned by what there is to do.
 */
export async function* weighFiles(
  listing: AsyncIterable<Listed>,
  { known, changes }: { readonly known: KnownFiles; readonly changes: ChangedRelations },
): AsyncGenerator<Listed, void, undefined> {
  for await (const listed of listing) {
    const isTold =
      listed.kind === 'file' &&
      isPagedFile(listed.path, listed.bytes) &&
      known.of(listed.path) !== undefined;
    yield isTold
      ? { ...listed, bytes: bytesToRead(changes.of(listed.path), listed.bytes) }
      : listed;
  }
}

function bytesToRead({ blocks, from }: ChangedBlocks, fileBytes: number): number {
  const pages = fileBytes / PAGE_BYTES;
  const changed = blocks.length + Math.max(0, pages - from);
  return Math.min(fileBytes, incrementBytes(changed));
}
