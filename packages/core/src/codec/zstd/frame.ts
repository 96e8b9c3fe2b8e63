import type { ByteReader } from '../../format/byte-reader.ts';
import type { ByteSource } from '../../ports/bytes.ts';
import { corrupt } from '../corrupt.ts';

/** One zstd frame: what its header says and all of its bytes, header included. */
export interface ZstdFrame {
  /** Decompressed length, if the header says so. */
  readonly contentBytes: number | undefined;
  readonly hasChecksum: boolean;
  /** Piece by piece: the header, each block, the checksum. */
  readonly bytes: ByteSource;
}

/** Frames that need more memory than this are refused; `zstd -d` has the same limit. */
const WINDOW_BYTES_MAX = 128 * 1024 * 1024;
const BLOCK_BYTES_MAX = 128 * 1024;
const BLOCK_HEADER_BYTES = 3;
const CHECKSUM_BYTES = 4;

/**
 * Reads the header of a zstd frame (RFC 8878, 3.1.1.1) that begins with the bytes `magic`. The
 * frame ends where its `bytes` end. They are found by following the blocks, because decoders do not
 * say where a frame ends; the one of Node.js ends after the first and drops, without an error, what
 * else it was given. Throws `object-corrupt`.
 */
export async function readFrame(reader: ByteReader, magic: Uint8Array): Promise<ZstdFrame> {
  const descriptor = await exactly(reader, 1);
  const [flags = 0] = descriptor;
  if ((flags & 0b1000) !== 0) throw corrupt('zstd', 'a frame header has bits that no writer sets');
  const isSingleSegment = (flags & 0b10_0000) !== 0;
  const window = await exactly(reader, isSingleSegment ? 0 : 1);
  const dictionary = await exactly(reader, [0, 1, 2, 4][flags & 0b11] ?? 0);
  const size = await exactly(reader, sizeFieldBytes(flags >>> 6, isSingleSegment));
  if (dictionary.some((byte) => byte !== 0)) {
    throw corrupt('zstd', 'a frame needs a dictionary, which WAL-G never uses');
  }
  const contentBytes = contentBytesOf(size);
  const windowBytes = windowBytesOf(window, contentBytes);
  if (windowBytes > WINDOW_BYTES_MAX) {
    throw corrupt('zstd', `a frame needs a window of ${windowBytes} bytes, more than 128 MiB`);
  }
  const hasChecksum = (flags & 0b100) !== 0;
  const header = Buffer.concat([magic, descriptor, window, dictionary, size]);
  const blockBytesMax = Math.min(windowBytes, BLOCK_BYTES_MAX);
  return {
    contentBytes,
    hasChecksum,
    bytes: frameBytes(reader, { header, blockBytesMax, hasChecksum }),
  };
}

function sizeFieldBytes(flag: number, isSingleSegment: boolean): number {
  if (flag === 0) return isSingleSegment ? 1 : 0;
  return 2 ** flag;
}

function contentBytesOf(field: Uint8Array): number | undefined {
  if (field.length === 0) return undefined;
  const value = field.reduceRight((high, byte) => high * 256 + byte, 0);
  return field.length === 2 ? value + 256 : value;
}

function windowBytesOf(field: Uint8Array, contentBytes: number | undefined): number {
  const [descriptor] = field;
  if (descriptor === undefined) return contentBytes ?? 0;
  const base = 2 ** (10 + (descriptor >>> 3));
  return base + (base / 8) * (descriptor & 0b111);
}

async function* frameBytes(
  reader: ByteReader,
  {
    header,
    blockBytesMax,
    hasChecksum,
  }: {
    readonly header: Uint8Array;
    readonly blockBytesMax: number;
    readonly hasChecksum: boolean;
  },
): ByteSource {
  yield header;
  let isLast = false;
  while (!isLast) {
    const [low = 0, middle = 0, high = 0] = await exactly(reader, BLOCK_HEADER_BYTES);
    isLast = (low & 1) === 1;
    const kind = (low >>> 1) & 0b11;
    const size = (low >>> 3) | (middle << 5) | (high << 13);
    if (kind === 3 || size > blockBytesMax) throw corrupt('zstd', 'a block header is damaged');
    const isRun = kind === 1;
    const block = new Uint8Array(BLOCK_HEADER_BYTES + (isRun ? 1 : size));
    block.set([low, middle, high]);
    await fill(reader, block, BLOCK_HEADER_BYTES);
    yield block;
  }
  if (hasChecksum) yield await exactly(reader, CHECKSUM_BYTES);
}

async function fill(reader: ByteReader, target: Uint8Array, from: number): Promise<void> {
  let filled = from;
  while (filled < target.length) {
    const piece = await reader.some(target.length - filled);
    if (piece === undefined) throw corrupt('zstd', 'it ends in the middle of a block');
    target.set(piece, filled);
    filled += piece.length;
  }
}

/** A copy: what a reader lends is gone with the next piece. */
async function exactly(reader: ByteReader, bytes: number): Promise<Uint8Array> {
  const piece = await reader.take(bytes);
  if (piece.length < bytes) throw corrupt('zstd', 'it ends in the middle of a frame');
  return Uint8Array.from(piece);
}
