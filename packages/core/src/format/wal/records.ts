import type { ByteSource } from '../../ports/bytes.ts';
import { ByteReader } from '../byte-reader.ts';
import { decodeRecord } from './decode-record.ts';
import { PageWalk, type WalkOptions } from './page-walk.ts';
import type { WalEnd, WalRecord } from './wal-record.ts';

export interface WalRecordsOptions extends WalkOptions {
  /** Also yield records of kind `other`, which are nearly all. */
  readonly others?: boolean;
}

const LONG_HEADER_BYTES = 40;
const PAGE_BYTES_DEFAULT = 8192;

/**
 * Walks through WAL as recovery does: page headers, records across pages and segments, the link
 * from each record to the one before and its CRC-32C (`src/backend/access/transam/xlogreader.c` of
 * PostgreSQL 13 to 18). The source holds whole segments one after the other. Whatever PostgreSQL
 * would take as the end of WAL ends the walk; damage never throws. Memory is one page, and one
 * record where it is the end of a transaction.
 */
export async function* walRecords(
  source: ByteSource,
  options: WalRecordsOptions,
): AsyncGenerator<WalRecord | WalEnd, void, undefined> {
  const reader = new ByteReader(source);
  try {
    const head = await reader.take(LONG_HEADER_BYTES);
    const pageBytes = pageBytesOf(head);
    const walk = new PageWalk(options, pageBytes);
    let page: Uint8Array = Buffer.concat([head, await reader.take(pageBytes - head.length)]);
    while (page.length === pageBytes && walk.end === undefined) {
      const records = walk.page(page).map((raw) => decodeRecord(raw));
      yield* options.others === true ? records : records.filter(({ kind }) => kind !== 'other');
      if (walk.end === undefined) page = await reader.take(pageBytes);
    }
    yield { kind: 'end', lsn: walk.position, ...(walk.end ?? { reason: 'source' }) };
  } finally {
    await reader.close();
  }
}

/** The long header of a segment's first page says how large pages are (`--with-wal-blocksize`). */
function pageBytesOf(head: Uint8Array): number {
  if (head.length < LONG_HEADER_BYTES) return PAGE_BYTES_DEFAULT;
  const bytes = new DataView(head.buffer, head.byteOffset).getUint32(36, true);
  const isSize = bytes >= 1024 && bytes <= 65_536 && (bytes & (bytes - 1)) === 0;
  return isSize ? bytes : PAGE_BYTES_DEFAULT;
}
