import * as zlib from 'node:zlib';
import { ByteReader } from '../../format/byte-reader.ts';
import { TsbkError } from '../../kernel/errors.ts';
import type { ByteStage } from '../../ports/bytes.ts';
import { transformStage } from '../../stream/transform-stage.ts';
import { readFrame } from './frame.ts';

const OUTPUT_BYTES = 256 * 1024;
const QUEUED_BYTES = 1024 * 1024;
const MAGIC_BYTES = 4;

/**
 * Compresses into exactly one zstd frame with a checksum, at a level of libzstd from 1 to 19 (their
 * windows are 8 MiB at most). Throws `unsupported-setting` where Node.js has no zstd: below 22.15,
 * and 23.0 to 23.7.
 */
export function zstdCompress(level: number): ByteStage {
  const stage = transformStage(() => openCompressor(level), { failure: cannotCompress });
  return async function* (source) {
    const reader = new ByteReader(stage(source));
    try {
      const frame = await readFrame(reader, await reader.take(MAGIC_BYTES));
      yield* frame.bytes;
      await dropEmptyFrames(reader);
    } finally {
      await reader.close();
    }
  };
}

function openCompressor(level: number) {
  if (typeof zlib.createZstdCompress !== 'function') {
    throw new TsbkError('unsupported-setting', 'this Node.js cannot compress with zstd', {
      hint: 'Run tsbk with Node.js 22.15 or later, or set WALG_COMPRESSION_METHOD=lz4.',
    });
  }
  const options = {
    chunkSize: OUTPUT_BYTES,
    writableHighWaterMark: QUEUED_BYTES,
    params: {
      [zlib.constants.ZSTD_c_compressionLevel]: level,
      [zlib.constants.ZSTD_c_checksumFlag]: 1,
    },
  };
  return zlib.createZstdCompress(options);
}

/**
 * Node.js ends the frame again, which makes an empty second one, when its end is announced while
 * writes wait (nodejs/node#66078) and when the first one happens to fill its output buffer.
 */
async function dropEmptyFrames(reader: ByteReader): Promise<void> {
  for (;;) {
    const magic = await reader.take(MAGIC_BYTES);
    if (magic.length === 0) return;
    const frame = await readFrame(reader, magic);
    if (frame.contentBytes !== 0) throw cannotCompress('it wrote more than one frame');
    for await (const piece of frame.bytes) void piece;
  }
}

function cannotCompress(problem: string, cause?: unknown): Error {
  return new Error(`zstd cannot compress: ${problem}`, { cause });
}
