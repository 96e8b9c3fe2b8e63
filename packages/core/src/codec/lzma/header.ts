import type { ByteReader } from '../../format/byte-reader.ts';
import { corrupt } from '../corrupt.ts';
import type { LzmaProperties } from './lzma-decoder.ts';

/** What the 13 bytes say that an `.lzma` file begins with. */
export interface LzmaHeader {
  readonly properties: LzmaProperties;
  readonly dictionaryBytes: number;
  /** Decompressed length; `undefined` if only the end marker tells. */
  readonly contentBytes: bigint | undefined;
}

const HEADER_BYTES = 13;
const UNKNOWN_SIZE = 0xffffffffffffffffn;
/** `xz --format=lzma -9` uses this much; WAL-G 8 MiB. */
const DICTIONARY_BYTES_MAX = 64 * 1024 * 1024;
const DICTIONARY_BYTES_MIN = 4096;
/** 9 × 5 × 5 combinations of the three properties. */
const PROPERTIES_END = 225;

/** Reads the header of a stream in the LZMA-alone format. Throws `object-corrupt`. */
export async function readLzmaHeader(reader: ByteReader): Promise<LzmaHeader> {
  const bytes = Buffer.from(await reader.take(HEADER_BYTES));
  if (bytes.length < HEADER_BYTES) throw corrupt('lzma', 'it ends within its header');
  const code = bytes.readUInt8(0);
  if (code >= PROPERTIES_END) throw corrupt('lzma', 'it does not begin with an LZMA header');
  const contentBytes = bytes.readBigUInt64LE(5);
  const dictionaryBytes = smaller(bytes.readUInt32LE(1), contentBytes);
  if (dictionaryBytes > DICTIONARY_BYTES_MAX) {
    throw corrupt('lzma', `it needs a dictionary of ${dictionaryBytes} bytes, more than 64 MiB`);
  }
  return {
    properties: { lc: code % 9, lp: Math.floor(code / 9) % 5, pb: Math.floor(code / 45) },
    dictionaryBytes: Math.max(dictionaryBytes, DICTIONARY_BYTES_MIN),
    contentBytes: contentBytes === UNKNOWN_SIZE ? undefined : contentBytes,
  };
}

/** No match reaches farther back than the content is long. */
function smaller(dictionaryBytes: number, contentBytes: bigint): number {
  return contentBytes < BigInt(dictionaryBytes) ? Number(contentBytes) : dictionaryBytes;
}
