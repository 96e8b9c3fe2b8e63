import type { ByteStage } from './bytes.ts';

export type CodecName = 'lz4' | 'zstd' | 'brotli' | 'none' | 'gzip' | 'lzma';

/**
 * One compression format. Both stages are strict: `decompress` throws `object-corrupt` on damage,
 * truncation or bytes after the end that the format does not allow, and keeps its memory bounded
 * whatever the input says.
 */
export interface Codec {
  readonly name: CodecName;
  /** Extension of object names without the dot; empty for `none`. */
  readonly extension: string;
  /**
   * Absent for formats that tsbk only reads. Produces exactly one frame or stream. Like
   * `decompress`, it is done with a chunk when it asks for the next one, so that its source may use
   * the chunk's memory again.
   */
  readonly compress?: ByteStage;
  readonly decompress: ByteStage;
  /**
   * `decompress` without the format's own checksum of the whole content, where leaving it out saves
   * time. For whoever holds a hash of the compressed bytes against them anyway.
   */
  readonly decompressHashed?: ByteStage;
}
