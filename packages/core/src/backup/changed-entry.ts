import type { DataFile } from '../cluster/data-directory.ts';
import { crc32c } from '../format/crc32c.ts';
import { isPagedFile } from '../format/increment/paged-file.ts';
import type { PageSelection } from '../format/increment/page-selection.ts';
import { incrementBytes } from '../format/increment/walg-increment.ts';
import { PAGE_BYTES } from '../format/page.ts';
import type { ByteSource } from '../ports/bytes.ts';
import type { ChangedBlocks } from '../ports/changed-blocks.ts';
import type { DamagedPages, KnownFile } from '../ports/files.ts';
import { incrementEntry } from './increment-entry.ts';
import type { KeptPages } from './kept-pages.ts';
import { pageCheck } from './page-check.ts';
import { CHUNK_BYTES, type FileContext } from './read-chunks.ts';
import { isExactMoment, isSameMoment } from './same-moment.ts';
import { scanFile } from './scan-file.ts';
import { fileHeader, paddingOf, wholeEntry, wholeMember } from './whole-entry.ts';

export interface ChangedContext extends FileContext {
  readonly selection: PageSelection;
  readonly kept: KeptPages;
}

/**
 * The tar entry of a file that the parent backup has, with what the parent does not have of it:
 *
 * - nothing, and no entry, where length and checksum of the whole file are the parent's as well as
 *   the time of its last change: neither time nor checksum alone would be proof enough;
 * - an increment with the pages that changed, of a file of pages;
 * - everything otherwise.
 *
 * A file of pages is read once. The pages that go into its increment are read again only where they
 * do not fit the memory for them; those that were changed in between are as good, because recovery
 * begins before.
 */
export function changedEntry(
  file: DataFile,
  known: KnownFile,
  context: ChangedContext,
): ByteSource {
  const isPaged = isPagedFile(context.path, file.bytes);
  if (isPaged && known.changed !== undefined) return knownBlocksEntry(file, known.changed, context);
  const mayBeSame =
    known.sum?.bytes === file.bytes && isSameMoment(file.facts.modified, known.modified);
  return isPaged || mayBeSame
    ? lookedAtEntry(file, { known, isPaged, mayBeSame }, context)
    : wholeEntry(file, context);
}

/** Reads the file first. */
async function* lookedAtEntry(
  file: DataFile,
  {
    known,
    isPaged,
    mayBeSame,
  }: { readonly known: KnownFile; readonly isPaged: boolean; readonly mayBeSame: boolean },
  context: ChangedContext,
): ByteSource {
  const { batches, kept } = context;
  const looked = { isPaged, summed: mayBeSame };
  const { crc, blocks, damage } = await scanFile(file, context, looked);
  if (mayBeSame && crc === known.sum?.crc) {
    batches.member({ ...wholeMember(file, context, crc), content: 'skipped' }, damage);
  } else if (mayBeSame && isExactMoment(file.modifiedNow(), known.modified)) {
    yield* wholeEntry(file, context, { again: true, contradicts: true });
  } else if (isPaged && incrementBytes(blocks.length) < file.bytes) {
    yield* incrementEntry(file, { blocks, kept, damage: () => damage }, context);
  } else if (isPaged && kept.count * PAGE_BYTES === file.bytes) {
    yield* keptEntry(file, damage, context);
  } else {
    yield* wholeEntry(file, context, { again: true });
  }
}

/**
 * Only the pages that WAL summaries name are read. What was added to the file since, or cut off, is
 * recovery's.
 */
function knownBlocksEntry(
  file: DataFile,
  changed: ChangedBlocks,
  context: ChangedContext,
): ByteSource {
  const { path, kept, verifyBefore } = context;
  const blocks = blocksBelow(changed, file.bytes / PAGE_BYTES);
  if (incrementBytes(blocks.length) >= file.bytes) return wholeEntry(file, context);
  const check = verifyBefore === undefined ? undefined : pageCheck(path, file, verifyBefore);
  kept.clear();
  const damage = (): DamagedPages | undefined => check?.damage();
  return incrementEntry(file, { blocks, kept, first: true, check, damage }, context);
}

/** The changed blocks of a file that has so many pages. */
function blocksBelow({ blocks, from }: ChangedBlocks, pages: number): Uint32Array {
  const cut = Math.min(from, pages);
  const end = blocks.findIndex((block) => block >= cut);
  const named = end === -1 ? blocks : blocks.subarray(0, end);
  const all = new Uint32Array(named.length + pages - cut);
  all.set(named);
  for (let block = cut; block < pages; block += 1) all[named.length + block - cut] = block;
  return all;
}

/** A file all of whose pages were selected and kept. */
function* keptEntry(
  file: DataFile,
  damage: DamagedPages | undefined,
  context: ChangedContext,
): Generator<Uint8Array, void, undefined> {
  const { kept, batches } = context;
  yield fileHeader(file, context, file.bytes);
  let crc = 0;
  for (const piece of kept.pieces(CHUNK_BYTES)) {
    crc = crc32c(piece, crc);
    yield piece;
  }
  yield* paddingOf(file.bytes);
  batches.member(wholeMember(file, context, crc), damage);
}
