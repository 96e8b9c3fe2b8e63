/**
 * Numbers of the LZ4 frame format, version 1.6.4 of its description. All of its integers are
 * little-endian.
 */
export const MAGIC_FRAME = 0x184d2204;
export const MAGIC_LEGACY = 0x184c2102;

/** Whether a magic number begins a skippable frame: any of sixteen. */
export function isSkippable(magic: number): boolean {
  return (magic & 0xfffffff0) >>> 0 === 0x184d2a50;
}

/** The top bit of a block's size: its data is stored as it is. */
export const UNCOMPRESSED = 0x80000000;

/** How far back a match reaches: linked blocks need that much of what came before. */
export const WINDOW_BYTES = 65536;

/** Largest block of the legacy format, decompressed. */
export const LEGACY_BLOCK_BYTES = 8 * 1024 * 1024;

/** Size that compressed data of `bytes` never exceeds, by the reference implementation. */
export function compressBound(bytes: number): number {
  return bytes + Math.floor(bytes / 255) + 16;
}
