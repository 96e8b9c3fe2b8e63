import { TsbkError } from '../../kernel/errors.ts';
import { formatLsn, toLsn, type Lsn } from '../../kernel/lsn.ts';
import { toSystemId, type SystemId } from '../../kernel/system-id.ts';
import {
  isSegmentSize,
  parseSegment,
  segmentStart,
  type TimelineId,
} from '../../kernel/wal-file.ts';
import { asBuffer } from '../../stream/collect.ts';

/** The header of a segment's first page (`XLogLongPageHeaderData`, `xlog_internal.h`). */
export interface WalPageHeader {
  /** Changes with every major version. */
  readonly magic: number;
  /** The major version with this magic; `undefined` for those that tsbk does not know. */
  readonly version: number | undefined;
  /** Flag bits. */
  readonly info: number;
  /** Of the page's first record. In the first segment of a timeline it is the parent's. */
  readonly timeline: TimelineId;
  readonly pageAddress: Lsn;
  readonly systemId: SystemId;
  readonly segmentBytes: number;
  readonly blockBytes: number;
}

/** What a valid segment says of itself. */
export interface WalSegmentFacts {
  readonly systemId: SystemId;
  readonly version: number;
  readonly segmentBytes: number;
}

const LONG_HEADER_BYTES = 40;
const LONG_HEADER_FLAG = 0x2;
const ALL_FLAGS = 0xf;
const VERSIONS: ReadonlyMap<number, number> = new Map([
  [0xd106, 13],
  [0xd10d, 14],
  [0xd110, 15],
  [0xd113, 16],
  [0xd116, 17],
  [0xd118, 18],
]);

/** Reads the first 40 bytes of a segment, little-endian. `undefined` if there are fewer. */
export function parseWalPageHeader(page: Uint8Array): WalPageHeader | undefined {
  if (page.length < LONG_HEADER_BYTES) return undefined;
  const bytes = asBuffer(page);
  const magic = bytes.readUInt16LE(0);
  return {
    magic,
    version: VERSIONS.get(magic),
    info: bytes.readUInt16LE(2),
    timeline: bytes.readUInt32LE(4),
    pageAddress: toLsn(bytes.readBigUInt64LE(8)),
    systemId: toSystemId(bytes.readBigUInt64LE(24)),
    segmentBytes: bytes.readUInt32LE(32),
    blockBytes: bytes.readUInt32LE(36),
  };
}

/**
 * Checks that a file can be the segment that `name` (24 digits) says, as PostgreSQL will when it
 * reads it: `firstPage` is its beginning, at least 40 bytes, `fileBytes` its whole length. A
 * `.partial` file has the full length and passes under its segment's name.
 *
 * The timeline in the header may be lower than the name's: a new timeline begins with a copy of
 * the segment in which its parent ended. Throws `wal-invalid`.
 */
export function checkWalSegment(
  name: string,
  firstPage: Uint8Array,
  fileBytes: number,
): WalSegmentFacts {
  const header = parseWalPageHeader(firstPage);
  if (header === undefined) throw invalid(name, `it has only ${fileBytes} bytes`);
  const { version, segmentBytes } = header;
  if (version === undefined) {
    const magic = header.magic.toString(16).toUpperCase().padStart(4, '0');
    throw invalid(name, `page magic ${magic} is of no PostgreSQL from 13 to 18`);
  }
  checkLayout(name, header);
  if (fileBytes !== segmentBytes) {
    throw invalid(name, `it has ${fileBytes} bytes, its header says ${segmentBytes}`);
  }
  checkPlace(name, header);
  return { systemId: header.systemId, version, segmentBytes };
}

function checkLayout(name: string, { info, segmentBytes, blockBytes }: WalPageHeader): void {
  if ((info & LONG_HEADER_FLAG) === 0 || (info & ~ALL_FLAGS) !== 0) {
    throw invalid(name, `page flags ${info.toString(16)} are not those of a first page`);
  }
  if (!isSegmentSize(segmentBytes)) {
    throw invalid(name, `its header says a segment size of ${segmentBytes} bytes`);
  }
  const isPowerOfTwo = (blockBytes & (blockBytes - 1)) === 0;
  if (blockBytes < 1024 || blockBytes > 65536 || !isPowerOfTwo) {
    throw invalid(name, `its header says a WAL block size of ${blockBytes} bytes`);
  }
}

function checkPlace(name: string, { timeline, pageAddress, segmentBytes }: WalPageHeader): void {
  const segment = parseSegment(name, segmentBytes);
  if (segment === undefined) {
    throw invalid(name, `there is no such name with segments of ${segmentBytes} bytes`);
  }
  const start = segmentStart(segment.number, segmentBytes);
  if (pageAddress !== start) {
    throw invalid(
      name,
      `it begins at ${formatLsn(pageAddress)}, its name says ${formatLsn(start)}`,
    );
  }
  if (timeline === 0 || timeline > segment.timeline) {
    throw invalid(name, `its header says timeline ${timeline}, its name ${segment.timeline}`);
  }
}

function invalid(name: string, problem: string): TsbkError {
  return new TsbkError('wal-invalid', `WAL file ${name} is not valid: ${problem}`, {
    hint: 'PostgreSQL would refuse it too. Look at the file (pg_waldump) and at where it comes from.',
  });
}
