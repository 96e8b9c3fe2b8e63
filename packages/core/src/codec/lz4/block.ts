import { compressSync, uncompressSync } from 'lz4-napi';
import { release } from '../../stream/release.ts';

/**
 * LZ4 blocks by `lz4-napi`, which puts the decompressed size as four bytes before the block and
 * wants it there. Those four bytes are where a frame has the size of the compressed block.
 */
export const PREFIX_BYTES = 4;

/**
 * Compresses `plain` as one block on its own. The result begins with `PREFIX_BYTES` bytes for the
 * caller to overwrite and belongs to the caller.
 */
export function compressBlock(plain: Buffer): Uint8Array {
  const foreign = compressSync(plain);
  const own = new Uint8Array(foreign);
  release(foreign);
  return own;
}

/**
 * Decompresses a block that has `PREFIX_BYTES` bytes of room before it. `limit` bounds the result
 * in bytes and is what gets allocated; `history` is what linked blocks may refer back to. Throws
 * the library's error for a block that is damaged or larger than `limit`.
 */
export function decompressBlock(
  prefixed: Buffer,
  { limit, history }: { readonly limit: number; readonly history: Uint8Array | undefined },
): Buffer {
  prefixed.writeUInt32LE(limit, 0);
  return uncompressSync(prefixed, history);
}
