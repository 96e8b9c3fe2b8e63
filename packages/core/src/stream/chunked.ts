import type { ByteSource } from '../ports/bytes.ts';

/**
 * A source that yields copies of `bytes` in pieces of the given sizes, over and over; zeros are
 * empty chunks. Some size must be above zero. For tests: what a reader makes of bytes must not
 * depend on where they were cut.
 */
export async function* chunked(bytes: Uint8Array, sizes: readonly number[]): ByteSource {
  let at = 0;
  for (let i = 0; at < bytes.length; i += 1) {
    const end = Math.min(bytes.length, at + (sizes[i % sizes.length] ?? bytes.length));
    yield new Uint8Array(bytes.subarray(at, end));
    at = end;
  }
}
