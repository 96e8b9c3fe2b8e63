import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ByteReader } from '../../format/byte-reader.ts';
import { corrupt } from '../corrupt.ts';
import { BlockReader } from './block-reader.ts';
import { LEGACY_BLOCK_BYTES, compressBound } from './frame-format.ts';

/**
 * The content of one frame of the legacy format, after its magic number. It has neither checksums
 * nor an end mark: it ends with the data or before what can be no block size. Returns those bytes
 * (none at the end of the data) for the caller to read as the next magic number. Throws
 * `object-corrupt`; a frame cut off between two blocks cannot be told from a whole one.
 */
export async function* readLegacyFrame(reader: ByteReader): AsyncGenerator<Uint8Array, Uint8Array> {
  const blocks = new BlockReader(reader, LEGACY_BLOCK_BYTES);
  const sizeMax = compressBound(LEGACY_BLOCK_BYTES);
  for (;;) {
    const field = await reader.take(4);
    if (field.length < 4) return field;
    const size = Buffer.from(field).readUInt32LE();
    if (size > sizeMax) return field;
    if (size === 0) throw corrupt('lz4', 'a legacy frame has a block without content');
    await blocks.read(size);
    yield blocks.decompress(size, undefined);
    await nextTurn();
  }
}
