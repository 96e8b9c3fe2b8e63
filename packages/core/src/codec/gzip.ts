import { createGunzip } from 'node:zlib';
import type { ByteStage } from '../ports/bytes.ts';
import { transformStage } from '../stream/transform-stage.ts';
import { corrupt } from './corrupt.ts';

const OUTPUT_BYTES = 256 * 1024;

/**
 * Decompresses one or more gzip members. Throws `object-corrupt` for damage, for data that ends
 * early and for bytes after the last member, zeros included.
 */
export const gzipDecompress: ByteStage = transformStage(
  () => createGunzip({ chunkSize: OUTPUT_BYTES }),
  { failure: (problem, cause) => corrupt('gzip', problem, cause) },
);
