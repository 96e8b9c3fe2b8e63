import type { DataFile } from '../cluster/data-directory.ts';
import { crc32c } from '../format/crc32c.ts';
import { encodeIncrementHead, incrementBytes } from '../format/increment/walg-increment.ts';
import type { ByteSource } from '../ports/bytes.ts';
import type { DamagedPages } from '../ports/files.ts';
import type { KeptPages } from './kept-pages.ts';
import type { PageCheck } from './page-check.ts';
import { CHUNK_BYTES, readBlocks, type FileContext } from './read-chunks.ts';
import { fileHeader, paddingOf } from './whole-entry.ts';

interface Increment {
  /** Numbers of the pages that go into it, ascending. */
  readonly blocks: Uint32Array;
  /** The first of those pages, if they were read already. */
  readonly kept: KeptPages;
  /** Nothing of the file has been told of as read yet. */
  readonly first?: boolean;
  /** What looks at the pages that are read now. */
  readonly check?: PageCheck | undefined;
  /** What is wrong with the file, asked when all has been read. */
  readonly damage: () => DamagedPages | undefined;
}

/** The tar entry of a file with only the pages that its parent does not have. */
export async function* incrementEntry(
  file: DataFile,
  { blocks, kept, first = false, check, damage }: Increment,
  context: FileContext,
): ByteSource {
  const { path, batches } = context;
  const bytes = incrementBytes(blocks.length);
  yield fileHeader(file, context, bytes);
  const head = encodeIncrementHead({ fileBytes: file.bytes, blocks });
  let crc = crc32c(head);
  yield head;
  for (const piece of kept.pieces(CHUNK_BYTES)) {
    crc = crc32c(piece, crc);
    yield piece;
  }
  const rest = blocks.subarray(kept.count);
  for await (const chunk of readBlocks(file, rest, { ...context, check })) {
    crc = crc32c(chunk, crc);
    if (first) batches.read(chunk.length);
    yield chunk;
  }
  yield* paddingOf(bytes);
  const { facts, bytes: fileBytes } = file;
  const { modified } = facts;
  const content = 'incremented';
  batches.member({ kind: 'file', path, content, fileBytes, bytes, modified, crc }, damage());
}
