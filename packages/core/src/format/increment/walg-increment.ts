import { TsbkError } from '../../kernel/errors.ts';
import type { ByteReader } from '../byte-reader.ts';
import { PAGE_BYTES } from '../page.ts';

/**
 * What WAL-G puts into a tar instead of a file that its parent backup has (walg-format §4.1): the
 * file's size, the numbers of the pages that changed, those pages. All integers are little-endian.
 */
export interface IncrementHead {
  /** Size of the whole file: what is restored is cut or extended to it. */
  readonly fileBytes: number;
  /** Numbers of the pages that follow, in their order, counted from the start of this file. */
  readonly blocks: Uint32Array;
}

/** `wi1U`; the third character is the version. */
const MAGIC = Buffer.from([0x77, 0x69, 0x31, 0x55]);
const VERSION_AT = 2;
/** Magic, size of the file, number of pages. */
const FIXED_BYTES = 16;
const NUMBER_BYTES = 4;
/** PostgreSQL's segment files have 1 GiB. Readers keep a bit a page, so there is an end to belief. */
const FILE_BYTES_MAX = 2n ** 40n;

/** Size of a whole increment of so many pages, bytes. */
export function incrementBytes(pages: number): number {
  return FIXED_BYTES + pages * (NUMBER_BYTES + PAGE_BYTES);
}

/**
 * Everything of an increment that comes before its pages. WAL-G's `--reverse-unpack` needs the
 * numbers ascending and each once: throws `RangeError` for any other order.
 */
export function encodeIncrementHead({ fileBytes, blocks }: IncrementHead): Buffer {
  const head = Buffer.allocUnsafe(FIXED_BYTES + blocks.length * NUMBER_BYTES);
  MAGIC.copy(head);
  head.writeBigUInt64LE(BigInt(fileBytes), MAGIC.length);
  head.writeUInt32LE(blocks.length, FIXED_BYTES - NUMBER_BYTES);
  let before = -1;
  blocks.forEach((block, index) => {
    if (block <= before) throw new RangeError(`block ${block} after block ${before}`);
    before = block;
    head.writeUInt32LE(block, FIXED_BYTES + index * NUMBER_BYTES);
  });
  return head;
}

/**
 * Reads the head of an increment of `entryBytes` bytes and leaves `reader` at the first page. Any
 * order of the pages is taken, as WAL-G's default restore does. Throws `tar-invalid`, naming `what`,
 * for what is no increment, of another version, of another page size, or names a page twice.
 */
export async function readIncrementHead(
  reader: ByteReader,
  { entryBytes, what }: { readonly entryBytes: number; readonly what: string },
): Promise<IncrementHead> {
  const fixed = Buffer.from(await reader.take(FIXED_BYTES));
  const isOurs = fixed.length === FIXED_BYTES && fixed.every(isMagicByte);
  if (!isOurs) throw invalid(what, 'does not begin as one');
  if (fixed[VERSION_AT] !== MAGIC[VERSION_AT]) throw invalid(what, 'is of an unknown version');
  const fileBytes = fixed.readBigUInt64LE(MAGIC.length);
  if (fileBytes > FILE_BYTES_MAX) throw invalid(what, 'is of a file of more than 1 TiB');
  const pages = fixed.readUInt32LE(FIXED_BYTES - NUMBER_BYTES);
  // Before anything is allocated: a damaged number would ask for gigabytes.
  if (entryBytes !== incrementBytes(pages)) {
    throw invalid(what, `has ${entryBytes} bytes, which are not ${pages} pages of ${PAGE_BYTES}`);
  }
  const bytes = Buffer.from(await reader.take(pages * NUMBER_BYTES));
  if (bytes.length < pages * NUMBER_BYTES) throw invalid(what, 'ends within its page numbers');
  const blocks = Uint32Array.from({ length: pages }, (_, index) =>
    bytes.readUInt32LE(index * NUMBER_BYTES),
  );
  requireDistinct(blocks, what);
  return { fileBytes: Number(fileBytes), blocks };
}

function isMagicByte(byte: number, index: number): boolean {
  return index >= MAGIC.length || index === VERSION_AT || byte === MAGIC[index];
}

/** Two images of one page: which one is right would depend on who restores it. */
function requireDistinct(blocks: Uint32Array, what: string): void {
  const sorted = blocks.toSorted();
  const twice = sorted.find((block, index) => index > 0 && block === sorted[index - 1]);
  if (twice !== undefined) throw invalid(what, `has page ${twice} twice`);
}

function invalid(what: string, problem: string): TsbkError {
  return new TsbkError('tar-invalid', `${what}: the increment ${problem}`);
}
