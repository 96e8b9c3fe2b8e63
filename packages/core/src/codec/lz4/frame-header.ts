import type { ByteReader } from '../../format/byte-reader.ts';
import { corrupt } from '../corrupt.ts';
import { xxh32Of } from './xxh32.ts';

/** What the header of an LZ4 frame promises. */
export interface FrameHeader {
  /** Largest block, decompressed, in bytes. */
  readonly blockBytesMax: number;
  /** Blocks refer back into those before them. */
  readonly linked: boolean;
  readonly blockChecksums: boolean;
  readonly contentChecksum: boolean;
  /** Decompressed length of the frame, if it says so. */
  readonly contentBytes: bigint | undefined;
}

const FIELDS = {
  version: 0b1100_0000,
  independent: 0b0010_0000,
  blockChecksums: 0b0001_0000,
  contentSize: 0b0000_1000,
  contentChecksum: 0b0000_0100,
  reserved: 0b0000_0010,
  dictionary: 0b0000_0001,
} as const;

const BLOCK_SIZE_RESERVED = 0b1000_1111;

/** Reads the header of a frame, after its magic number. Throws `object-corrupt`. */
export async function readFrameHeader(reader: ByteReader): Promise<FrameHeader> {
  // Copied: what a reader lends is gone with the next piece.
  const start = Uint8Array.from(await exactly(reader, 2));
  const [flags = 0, blockSize = 0] = start;
  checkFlags(flags, blockSize);
  const hasSize = (flags & FIELDS.contentSize) !== 0;
  const size = Uint8Array.from(await exactly(reader, hasSize ? 8 : 0));
  const [checksum] = await exactly(reader, 1);
  const expected = (xxh32Of(Buffer.concat([start, size])) >>> 8) & 0xff;
  if (checksum !== expected) throw corrupt('lz4', 'the checksum of a frame header does not match');
  return {
    blockBytesMax: 1 << (2 * (blockSize >>> 4) + 8),
    linked: (flags & FIELDS.independent) === 0,
    blockChecksums: (flags & FIELDS.blockChecksums) !== 0,
    contentChecksum: (flags & FIELDS.contentChecksum) !== 0,
    contentBytes: hasSize ? viewOf(size).getBigUint64(0, true) : undefined,
  };
}

function checkFlags(flags: number, blockSize: number): void {
  if ((flags & FIELDS.version) !== 0b0100_0000) {
    throw corrupt('lz4', 'a frame is of an unknown version');
  }
  const reserved = (flags & FIELDS.reserved) | (blockSize & BLOCK_SIZE_RESERVED);
  if (reserved !== 0 || blockSize >>> 4 < 4) {
    throw corrupt('lz4', 'a frame header has bits that no writer sets');
  }
  if ((flags & FIELDS.dictionary) !== 0) {
    throw corrupt('lz4', 'a frame needs a dictionary, which WAL-G never uses');
  }
}

/** The next `bytes` bytes, or `object-corrupt` if the data ends before. */
export async function exactly(reader: ByteReader, bytes: number): Promise<Uint8Array> {
  const piece = await reader.take(bytes);
  if (piece.length < bytes) throw corrupt('lz4', 'it ends in the middle of a frame');
  return piece;
}

/** A little-endian unsigned 32-bit number. */
export async function readU32(reader: ByteReader): Promise<number> {
  return viewOf(await exactly(reader, 4)).getUint32(0, true);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
