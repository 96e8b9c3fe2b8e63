import { constants, createBrotliCompress, createBrotliDecompress } from 'node:zlib';
import type { ByteStage } from '../ports/bytes.ts';
import { transformStage } from '../stream/transform-stage.ts';
import { corrupt } from './corrupt.ts';

const OUTPUT_BYTES = 256 * 1024;
const QUEUED_BYTES = 1024 * 1024;

const COMPRESSION = {
  chunkSize: OUTPUT_BYTES,
  writableHighWaterMark: QUEUED_BYTES,
  params: {
    [constants.BROTLI_PARAM_QUALITY]: 3,
    [constants.BROTLI_PARAM_LGWIN]: 22,
  },
};

/** Compresses into one brotli stream as WAL-G does: quality 3, window of 4 MiB (2^22). */
export const brotliCompress: ByteStage = transformStage(() => createBrotliCompress(COMPRESSION), {
  failure: (problem, cause) => new Error(`brotli cannot compress: ${problem}`, { cause }),
});

/**
 * Decompresses one brotli stream with a window of at most 16 MiB. Throws `object-corrupt` for
 * damage that shows, for data that ends early and for bytes after the end. The format carries no
 * checksum: some damage decompresses to other bytes without an error.
 */
export const brotliDecompress: ByteStage = transformStage(
  () => createBrotliDecompress({ chunkSize: OUTPUT_BYTES }),
  { failure: (problem, cause) => corrupt('brotli', problem, cause) },
);
