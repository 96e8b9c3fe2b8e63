import { ByteReader } from '../../format/byte-reader.ts';
import type { ByteSource } from '../../ports/bytes.ts';
import { corrupt } from '../corrupt.ts';
import { type ZstdFrame, readFrame } from './frame.ts';
import { decompressFrameNatively, hasNativeZstd } from './native-frame.ts';

/** Decompresses one frame and checks what the frame carries to check it by. */
export type ZstdFrameDecoder = (frame: ZstdFrame) => ByteSource;

const MAGIC = 0xfd2fb528;

/**
 * Decompresses one or more zstd frames with skippable frames between them, by Node.js where it
 * can and by `fzstd` elsewhere. Memory is bounded by a window of 128 MiB. Throws `object-corrupt`
 * for damage, for data that ends early, for bytes that belong to no frame, for data without any
 * frame and for frames that need a dictionary or a larger window.
 */
export async function* zstdDecompress(source: ByteSource): ByteSource {
  yield* zstdDecompressBy(await pickDecoder(), source);
}

/** The same with a decoder of the caller's choice. */
export async function* zstdDecompressBy(
  decompressFrame: ZstdFrameDecoder,
  source: ByteSource,
): ByteSource {
  const reader = new ByteReader(source);
  try {
    let frames = 0;
    for (;;) {
      const start = Uint8Array.from(await reader.take(4));
      if (start.length === 0 && frames > 0) break;
      if (isSkippable(start)) {
        await skipFrame(reader);
      } else {
        checkMagic(start, frames);
        frames += 1;
        yield* decompressFrame(await readFrame(reader, start));
      }
    }
  } finally {
    await reader.close();
  }
}

async function pickDecoder(): Promise<ZstdFrameDecoder> {
  if (hasNativeZstd()) return decompressFrameNatively;
  const { decompressFramePortably } = await import('./portable-frame.ts');
  return decompressFramePortably;
}

/** Any of sixteen magic numbers begins a skippable frame. */
function isSkippable(start: Uint8Array): boolean {
  return start.length === 4 && (magicOf(start) & 0xfffffff0) >>> 0 === 0x184d2a50;
}

function checkMagic(start: Uint8Array, frames: number): void {
  if (start.length === 4 && magicOf(start) === MAGIC) return;
  if (frames > 0) throw corrupt('zstd', 'what follows a frame is not another one');
  throw corrupt(
    'zstd',
    start.length === 0 ? 'it holds no frame' : 'it does not begin with a frame',
  );
}

async function skipFrame(reader: ByteReader): Promise<void> {
  const size = await reader.take(4);
  let left = size.length === 4 ? magicOf(size) : 1;
  while (left > 0) {
    const piece = await reader.some(left);
    if (piece === undefined) throw corrupt('zstd', 'it ends in the middle of a skippable frame');
    left -= piece.length;
  }
}

function magicOf(start: Uint8Array): number {
  return Buffer.from(start).readUInt32LE();
}
