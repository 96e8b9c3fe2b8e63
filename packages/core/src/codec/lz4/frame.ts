import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ByteReader } from '../../format/byte-reader.ts';
import { corrupt } from '../corrupt.ts';
import { BlockReader } from './block-reader.ts';
import { UNCOMPRESSED, WINDOW_BYTES } from './frame-format.ts';
import { type FrameHeader, readFrameHeader, readU32 } from './frame-header.ts';
import { xxh32, xxh32Of } from './xxh32.ts';

/**
 * The content of one LZ4 frame, after its magic number, in blocks. Checks all that the frame
 * carries: header, block and content checksums and the content's length. A block that is empty is
 * no end: WAL-G 2.0 to 3.0.8 wrote one after every 16 MiB segment. `checksum: false` leaves the
 * checksum of the content unchecked. Throws `object-corrupt`.
 */
export async function* readFrame(
  reader: ByteReader,
  { checksum = true }: { readonly checksum?: boolean } = {},
): AsyncGenerator<Uint8Array, void> {
  const header = await readFrameHeader(reader);
  const blocks = new BlockReader(reader, header.blockBytesMax);
  const content = contentCheck(header, checksum);
  let history: Uint8Array | undefined;
  let bytes = 0;
  for (;;) {
    const field = await readU32(reader);
    if (field === 0) break;
    const plain = await readBlock(reader, { blocks, header, field, history });
    if (plain.length === 0) continue;
    content.add(plain);
    if (header.linked) history = recent(history, plain);
    bytes += plain.length;
    yield plain;
    // Memory of the library comes back in between only, also where the source never waits.
    await nextTurn();
  }
  await content.end(reader);
  if (header.contentBytes !== undefined && header.contentBytes !== BigInt(bytes)) {
    throw corrupt('lz4', `a frame of ${header.contentBytes} bytes has ${bytes}`);
  }
}

/** Reads the checksum of the content where the frame has one, and compares it if asked to. */
function contentCheck({ contentChecksum }: FrameHeader, isCompared: boolean) {
  const sum = contentChecksum && isCompared ? xxh32() : undefined;
  return {
    add: (plain: Uint8Array): void => sum?.update(plain),
    end: async (reader: ByteReader): Promise<void> => {
      if (!contentChecksum) return;
      const expected = await readU32(reader);
      if (sum !== undefined && sum.digest() !== expected) {
        throw corrupt('lz4', 'the checksum of its content does not match');
      }
    },
  };
}

async function readBlock(
  reader: ByteReader,
  {
    blocks,
    header,
    field,
    history,
  }: {
    readonly blocks: BlockReader;
    readonly header: FrameHeader;
    readonly field: number;
    readonly history: Uint8Array | undefined;
  },
): Promise<Uint8Array> {
  const isStored = field >= UNCOMPRESSED;
  const size = isStored ? field - UNCOMPRESSED : field;
  if (size > header.blockBytesMax) {
    throw corrupt('lz4', 'a block is larger than its frame allows');
  }
  const stored = await blocks.read(size);
  if (header.blockChecksums && (await readU32(reader)) !== xxh32Of(stored)) {
    throw corrupt('lz4', 'the checksum of a block does not match');
  }
  return isStored ? new Uint8Array(stored) : blocks.decompress(size, history);
}

/** The end of what has been decompressed, as much of it as a match can reach. */
function recent(history: Uint8Array | undefined, plain: Uint8Array): Uint8Array {
  // Copies: the block itself belongs to the consumer by now.
  if (history === undefined || plain.length >= WINDOW_BYTES) {
    return new Uint8Array(plain.subarray(-WINDOW_BYTES));
  }
  const kept = history.subarray(Math.max(0, history.length + plain.length - WINDOW_BYTES));
  return Buffer.concat([kept, plain]);
}
