import * as zlib from 'node:zlib';
import type { ByteSource } from '../../ports/bytes.ts';
import { transformStage } from '../../stream/transform-stage.ts';
import { corrupt } from '../corrupt.ts';
import type { ZstdFrame } from './frame.ts';

const OUTPUT_BYTES = 256 * 1024;
const WINDOW_LOG_MAX = 27;

/** Whether this Node.js decompresses zstd itself: from 22.15 and 23.8. */
export function hasNativeZstd(): boolean {
  return typeof zlib.createZstdDecompress === 'function';
}

/**
 * The content of one frame by libzstd, which checks the frame's checksum and length. Throws
 * `object-corrupt`.
 */
export function decompressFrameNatively(frame: ZstdFrame): ByteSource {
  const stage = transformStage(
    () =>
      zlib.createZstdDecompress({
        chunkSize: OUTPUT_BYTES,
        params: { [zlib.constants.ZSTD_d_windowLogMax]: WINDOW_LOG_MAX },
      }),
    { failure: (problem, cause) => corrupt('zstd', problem, cause) },
  );
  return stage(frame.bytes);
}
