import type { ByteSource } from '../ports/bytes.ts';
import { orAbort } from '../stream/abort.ts';
import { release } from '../stream/release.ts';

export interface GatheredPart {
  readonly bytes: Uint8Array;
  /** Whether the source has ended. A last part may be empty. */
  readonly last: boolean;
}

/** Cuts a source into parts, in buffers that are used again. */
export interface PartGatherer {
  /** The next part: `bytes` long, or less if the source ends. Throws what the source throws. */
  next(bytes: number): Promise<GatheredPart>;
  /** Gives back a part's memory for another. */
  recycle(part: GatheredPart): void;
  /** Leaves the source. */
  close(): Promise<void>;
}

export interface PartGathererOptions {
  /** About how much there is to gather. */
  readonly expectedBytes?: number | undefined;
  /** Memory to use, and where it comes back to: with one list for many sources it is used again. */
  readonly free?: Buffer[] | undefined;
}

const FIRST_BUFFER_BYTES = 64 * 1024;
const NOTHING = new Uint8Array(0);

/**
 * Reads `source`; every wait ends with the signal. Memory for the first part is taken at once for
 * `expectedBytes`, and grows by doubling where nothing is expected.
 */
export function partGatherer(
  source: ByteSource,
  signal: AbortSignal,
  { expectedBytes = FIRST_BUFFER_BYTES, free = [] }: PartGathererOptions = {},
): PartGatherer {
  const iterator = source[Symbol.asyncIterator]();
  let state: 'idle' | 'pulling' | 'ended' = 'idle';
  let chunk: Uint8Array = NOTHING;
  /** What is left of it. */
  let rest = chunk;
  let isFirst = true;

  const pull = async (): Promise<boolean> => {
    signal.throwIfAborted();
    state = 'pulling';
    // All of it was copied.
    release(chunk);
    const result = await orAbort(iterator.next(), signal);
    state = result.done === true ? 'ended' : 'idle';
    chunk = result.done === true ? NOTHING : result.value;
    rest = chunk;
    return state === 'idle';
  };
  return {
    next: async (bytes) => {
      // A small object shall not cost the memory of a whole part.
      let buffer = takeBuffer(free, bytes, isFirst ? expectedBytes : bytes);
      isFirst = false;
      let length = 0;
      while (length < bytes) {
        if (rest.length === 0 && (state === 'ended' || !(await pull()))) {
          return { bytes: buffer.subarray(0, length), last: true };
        }
        const piece = rest.subarray(0, bytes - length);
        buffer = withRoom(buffer, length, { needed: length + piece.length, most: bytes });
        buffer.set(piece, length);
        length += piece.length;
        rest = rest.subarray(piece.length);
      }
      return { bytes: buffer.subarray(0, length), last: false };
    },
    recycle: ({ bytes }) => {
      free.push(Buffer.from(bytes.buffer, 0, bytes.buffer.byteLength));
    },
    close: async () => {
      if (state === 'ended') return;
      const left = Promise.resolve(iterator.return?.()).catch(() => undefined);
      // A generator that is waiting for its own source hears `return()` only afterwards.
      if (state === 'idle') await left;
    },
  };
}

function takeBuffer(free: Buffer[], bytes: number, fresh: number): Buffer {
  const enough = Math.min(bytes, fresh);
  const used = free.pop();
  if (used !== undefined && used.length >= enough) return used;
  return Buffer.allocUnsafeSlow(enough);
}

function withRoom(
  buffer: Buffer,
  length: number,
  { needed, most }: { readonly needed: number; readonly most: number },
): Buffer {
  if (buffer.length >= needed) return buffer;
  const larger = Buffer.allocUnsafeSlow(Math.min(most, Math.max(needed, buffer.length * 2)));
  larger.set(buffer.subarray(0, length));
  return larger;
}
