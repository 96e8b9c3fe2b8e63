import type { ByteSource } from '../ports/bytes.ts';

/**
 * `chunks` as a source that owns something (a file handle, a connection): `release` runs once, as
 * soon as the source has ended, failed or been left by `return()`. A plain generator would not
 * do: left before its first chunk, it never runs its `finally`. Can be read once.
 */
export function ownedSource(chunks: AsyncGenerator<Uint8Array>, release: () => void): ByteSource {
  let released = false;
  const free = (): void => {
    if (released) return;
    released = true;
    release();
  };
  const iterator: AsyncIterator<Uint8Array> = {
    next: async () => {
      try {
        const result = await chunks.next();
        if (result.done === true) free();
        return result;
      } catch (error) {
        free();
        throw error;
      }
    },
    return: async () => {
      // First the resource: a generator that waits on it would not hear `return()` before.
      free();
      await chunks.return(undefined);
      return { done: true, value: undefined };
    },
  };
  return { [Symbol.asyncIterator]: () => iterator };
}
