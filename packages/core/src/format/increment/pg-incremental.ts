import { TsbkError } from '../../kernel/errors.ts';
import type { ByteReader } from '../byte-reader.ts';
import { PAGE_BYTES, SEGMENT_PAGES } from '../page.ts';

/**
 * The head of a file that PostgreSQL 17 and later send instead of one of which some pages changed
 * (`backup/basebackup_incremental.c`, `pg_combinebackup/reconstruct.c`). All integers are
 * little-endian on the machines we know.
 */
export interface IncrementalHead {
  /** Numbers of the pages that follow, ascending, counted from the start of this file. */
  readonly blocks: Uint32Array;
  /** Older pages count below this number only; it may be less than the file's length. */
  readonly truncationBlocks: number;
}

const MAGIC = 0xd3ae1f0d;
const WORD_BYTES = 4;
const FIXED_BYTES = 3 * WORD_BYTES;
const NAME = /^((?:base\/\d+|global|pg_tblspc\/\d+(?:\/[^/]+\/\d+)?)\/)INCREMENTAL\.([^/]+)$/;

/** `base/5/INCREMENTAL.1259` → `base/5/1259`; `undefined` for what PostgreSQL does not take for one. */
export function incrementalTarget(path: string): string | undefined {
  const match = NAME.exec(path);
  return match === null ? undefined : `${match[1]}${match[2]}`;
}

/** `base/5/1259` → `base/5/INCREMENTAL.1259`: what the manifest of a delta calls an incremented file. */
export function incrementalName(path: string): string {
  const name = path.lastIndexOf('/') + 1;
  return `${path.slice(0, name)}INCREMENTAL.${path.slice(name)}`;
}

/** Length of the result in pages: all that the head promises, whatever older backups have. */
export function resultBlocks({ blocks, truncationBlocks }: IncrementalHead): number {
  return Math.max(truncationBlocks, (blocks.at(-1) ?? -1) + 1);
}

/** Size of a whole file of so many pages, bytes: the pages begin at a multiple of their size. */
export function incrementalBytes(pages: number): number {
  return headBytes(pages) + pages * PAGE_BYTES;
}

/**
 * Reads the head of a file of `memberBytes` bytes and leaves `reader` at the first page. Throws
 * `tar-invalid`, naming `what`.
 */
export async function readIncrementalHead(
  reader: ByteReader,
  { memberBytes, what }: { readonly memberBytes: number; readonly what: string },
): Promise<IncrementalHead> {
  const fixed = Buffer.from(await reader.take(FIXED_BYTES));
  if (fixed.length < FIXED_BYTES || fixed.readUInt32LE(0) !== MAGIC) {
    throw invalid(what, 'does not begin as one');
  }
  const pages = fixed.readUInt32LE(WORD_BYTES);
  const truncationBlocks = fixed.readUInt32LE(2 * WORD_BYTES);
  if (truncationBlocks > SEGMENT_PAGES) {
    const hint =
      'PostgreSQL wrote that until the minor releases of 2026 when a relation of more than 1 GiB was truncated: update the server and take a full backup.';
    throw invalid(what, `says that older pages count up to ${truncationBlocks}`, hint);
  }
  if (pages > SEGMENT_PAGES || memberBytes !== incrementalBytes(pages)) {
    throw invalid(what, `has ${memberBytes} bytes, which do not fit ${pages} pages`);
  }
  const rest = Buffer.from(await reader.take(headBytes(pages) - FIXED_BYTES));
  if (rest.length < headBytes(pages) - FIXED_BYTES) throw invalid(what, 'ends within its head');
  const blocks = Uint32Array.from({ length: pages }, (_, index) =>
    rest.readUInt32LE(index * WORD_BYTES),
  );
  blocks.forEach((block, index) => {
    const before = index === 0 ? -1 : (blocks[index - 1] ?? -1);
    if (block <= before || block >= SEGMENT_PAGES) {
      throw invalid(what, `has page ${block} after page ${before}`);
    }
  });
  return { blocks, truncationBlocks };
}

/** Without pages there is no padding: such a file has 12 bytes. */
function headBytes(pages: number): number {
  const bytes = FIXED_BYTES + pages * WORD_BYTES;
  return pages === 0 ? bytes : Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;
}

function invalid(what: string, problem: string, hint?: string): TsbkError {
  const options = hint === undefined ? {} : { hint };
  return new TsbkError('tar-invalid', `${what}: the incremental file ${problem}`, options);
}
