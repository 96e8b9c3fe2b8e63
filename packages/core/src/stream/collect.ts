import { TsbkError } from '../kernel/errors.ts';
import type { ByteSource } from '../ports/bytes.ts';

/**
 * Reads a source whole into memory. `maxBytes` bounds it: more throws `object-corrupt`, naming
 * `what`, because a thing that is small by design and is not cannot be trusted.
 */
export async function collect(
  source: ByteSource,
  { maxBytes, what }: { readonly maxBytes: number; readonly what: string },
): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of source) {
    bytes += chunk.length;
    if (bytes > maxBytes) {
      throw new TsbkError('object-corrupt', `${what} is larger than ${maxBytes} bytes`);
    }
    chunks.push(chunk);
  }
  return chunks.length === 1 && chunks[0] !== undefined
    ? asBuffer(chunks[0])
    : Buffer.concat(chunks, bytes);
}

/** The same bytes as a `Buffer`, not copied. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
