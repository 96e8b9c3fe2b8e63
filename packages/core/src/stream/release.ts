import type { ByteStage } from '../ports/bytes.ts';

/**
 * Gives the memory of bytes back at once instead of at the next collection, if nothing else lies
 * in it: what native code allocates does not weigh enough with the collector, and a loop over many
 * chunks holds hundreds of MiB otherwise. The bytes must not be looked at any more. Engines before
 * V8 11.4 (Node.js 20) cannot; there the collector does it, later.
 */
export function release({ buffer, byteLength }: Uint8Array): void {
  if (!(buffer instanceof ArrayBuffer) || buffer.byteLength !== byteLength) return;
  if (typeof buffer.transfer === 'function') buffer.transfer(0);
}

/**
 * A stage for readers that keep nothing: each chunk is lent to them until they ask for the next,
 * and released then.
 */
export const lent: ByteStage = async function* (source) {
  for await (const chunk of source) {
    yield chunk;
    release(chunk);
  }
};
