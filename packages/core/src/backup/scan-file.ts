import type { DataFile } from '../cluster/data-directory.ts';
import { crc32c } from '../format/crc32c.ts';
import { BlockList } from '../format/increment/block-list.ts';
import type { PageSelection } from '../format/increment/page-selection.ts';
import { PAGE_BYTES } from '../format/page.ts';
import type { DamagedPages } from '../ports/files.ts';
import type { KeptPages } from './kept-pages.ts';
import { pageCheck } from './page-check.ts';
import { readChunks, type FileContext } from './read-chunks.ts';

export interface ScannedFile {
  /** Of all its content; 0 if it was not asked for. */
  readonly crc: number;
  /** The pages that were selected, ascending; the first `kept.count` of them are kept. */
  readonly blocks: Uint32Array;
  readonly damage: DamagedPages | undefined;
}

/** Reads a file once: for its checksum, for the pages that were selected, and for wrong ones. */
export async function scanFile(
  file: DataFile,
  context: FileContext & { readonly selection: PageSelection; readonly kept: KeptPages },
  { isPaged, summed }: { readonly isPaged: boolean; readonly summed: boolean },
): Promise<ScannedFile> {
  const { path, batches, verifyBefore, selection, kept } = context;
  const check = verifyBefore === undefined ? undefined : pageCheck(path, file, verifyBefore);
  const found = new BlockList();
  kept.clear();
  let crc = 0;
  let position = 0;
  for await (const chunk of readChunks(file, context, check)) {
    if (summed) crc = crc32c(chunk, crc);
    if (isPaged) {
      selection.each(chunk, (at) => {
        found.add((position + at) / PAGE_BYTES);
        kept.add(chunk.subarray(at, at + PAGE_BYTES));
      });
    }
    position += chunk.length;
    batches.read(chunk.length);
  }
  return { crc, blocks: found.blocks(), damage: check?.damage() };
}
