import { ByteReader } from '../../format/byte-reader.ts';
import type { ByteSource, ByteStage } from '../../ports/bytes.ts';
import { corrupt } from '../corrupt.ts';
import { MAGIC_FRAME, MAGIC_LEGACY, isSkippable } from './frame-format.ts';
import { readFrame } from './frame.ts';
import { readU32 } from './frame-header.ts';
import { readLegacyFrame } from './legacy-frame.ts';

/**
 * Decompresses what any LZ4 writer makes: one or more frames of the standard or legacy format, any
 * block size, linked or independent, and skippable frames between them. Memory is bounded by two
 * blocks. Throws `object-corrupt` for damage, for data that ends early, for bytes that belong to
 * no frame and for data without any frame.
 */
export const lz4Decompress: ByteStage = (source) => decompress(source, { checksum: true });

/** The same without looking at the checksums of frames' contents. */
export const lz4DecompressHashed: ByteStage = (source) => decompress(source, { checksum: false });

interface FrameOptions {
  readonly checksum: boolean;
}

async function* decompress(source: ByteSource, options: FrameOptions): ByteSource {
  const reader = new ByteReader(source);
  try {
    yield* readFrames(reader, options);
  } finally {
    await reader.close();
  }
}

async function* readFrames(reader: ByteReader, options: FrameOptions): ByteSource {
  let isFirst = true;
  let start = await reader.take(4);
  while (start.length > 0) {
    const magic = magicOf(start, isFirst);
    if (magic === MAGIC_LEGACY) {
      start = yield* readLegacyFrame(reader);
    } else {
      if (magic === MAGIC_FRAME) yield* readFrame(reader, options);
      else await skipFrame(reader);
      start = await reader.take(4);
    }
    isFirst &&= isSkippable(magic);
  }
  if (isFirst) throw corrupt('lz4', 'it holds no frame');
}

/** The kind of the frame that begins with these bytes. `isFirst`: none with content came before. */
function magicOf(start: Uint8Array, isFirst: boolean): number {
  const magic = start.length === 4 ? Buffer.from(start).readUInt32LE() : 0;
  if (magic === MAGIC_FRAME || magic === MAGIC_LEGACY || isSkippable(magic)) return magic;
  throw corrupt(
    'lz4',
    isFirst ? 'it does not begin with a frame' : 'what follows a frame is not another one',
  );
}

async function skipFrame(reader: ByteReader): Promise<void> {
  let left = await readU32(reader);
  while (left > 0) {
    const piece = await reader.some(left);
    if (piece === undefined) throw corrupt('lz4', 'it ends in the middle of a skippable frame');
    left -= piece.length;
  }
}
