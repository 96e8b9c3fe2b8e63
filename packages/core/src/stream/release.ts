import type { ByteSource, ByteStage } from '../ports/bytes.ts';
import { ownedSource } from './owned-source.ts';

/**
 * Gives the memory of bytes back at once instead of at the next collection, if nothing else lies
 * in it: what native code allocates does not weigh enough with the collector, and a loop over many
 * chunks holds hundreds of MiB otherwise. The bytes must not be looked at any more. Engines before
 * V8 11.4 (Node.js 20) cannot; there the collector does it, later.
 */
export function release({ buffer, byteLength }: Uint8Array): void {
  // One without length may have been released already.
  if (!(buffer instanceof ArrayBuffer) || byteLength === 0) return;
  if (buffer.byteLength !== byteLength) return;
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

/** The same for a source that owns something, which leaving it early must free: it may never begin. */
export function lentBody(source: ByteSource): ByteSource {
  const iterator = source[Symbol.asyncIterator]();
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const { done, value } = await iterator.next();
      if (done === true) return;
      yield value;
      release(value);
    }
  }
  return ownedSource(chunks(), () => {
    iterator.return?.().catch(() => undefined);
  });
}
