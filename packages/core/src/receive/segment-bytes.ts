import type { FileHandle } from 'node:fs/promises';
import { messageOf, TsbkError } from '../kernel/errors.ts';
import type { ByteSource } from '../ports/bytes.ts';
import { openNameless } from '../stream/nameless-file.ts';

/**
 * The bytes of a segment that is being received: written once, from the start on, and read as often
 * as somebody stores a part of them.
 */
export interface SegmentBytes extends AsyncDisposable {
  /** How many there are. */
  readonly filled: number;
  /** Adds a copy of `bytes`. Throws `scratch-failed`. */
  append(bytes: Uint8Array): Promise<void>;
  /** What was written, from `from` to before `to`; the rest of the segment reads as zeros. */
  read(from: number, to: number): ByteSource;
}

/** Segments up to this size, the default of PostgreSQL, are held in memory. */
export const IN_MEMORY_BYTES_MAX = 16 * 1024 * 1024;

const READ_BYTES = 1024 * 1024;

/** A new segment: in memory, or, if segments are larger, in a file without a name. */
export function holdSegment(bytes: number, scratchDirectory: string): SegmentBytes {
  return bytes <= IN_MEMORY_BYTES_MAX ? new InMemory(bytes) : new InFile(scratchDirectory);
}

class InMemory implements SegmentBytes {
  filled = 0;
  readonly #bytes: Buffer;

  constructor(bytes: number) {
    this.#bytes = Buffer.alloc(bytes);
  }

  append(bytes: Uint8Array): Promise<void> {
    this.#bytes.set(bytes, this.filled);
    this.filled += bytes.length;
    return Promise.resolve();
  }

  // Nothing here waits: views of what is never written again.
  async *read(from: number, to: number): ByteSource {
    for (let at = from; at < to; at += READ_BYTES) {
      yield this.#bytes.subarray(at, Math.min(at + READ_BYTES, to));
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}

class InFile implements SegmentBytes {
  filled = 0;
  readonly #directory: string;
  #file: Promise<FileHandle> | undefined;

  constructor(directory: string) {
    this.#directory = directory;
  }

  async append(bytes: Uint8Array): Promise<void> {
    try {
      this.#file ??= openNameless(this.#directory);
      const file = await this.#file;
      let done = 0;
      while (done < bytes.length) {
        const at = this.filled + done;
        done += (await file.write(bytes, done, bytes.length - done, at)).bytesWritten;
      }
      this.filled += bytes.length;
    } catch (error) {
      throw this.#failed('write', error);
    }
  }

  async *read(from: number, to: number): ByteSource {
    for (let at = from; at < to;) {
      const piece = Buffer.alloc(Math.min(READ_BYTES, to - at));
      await this.#fill(piece, at);
      at += piece.length;
      yield piece;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const file = await this.#file?.catch(() => undefined);
    await file?.close().catch(() => undefined);
  }

  /** Reads to the end of what was written; what is behind it stays zero. */
  async #fill(piece: Buffer, at: number): Promise<void> {
    const file = await this.#file;
    const wanted = Math.min(piece.length, this.filled - at);
    try {
      for (let got = 0; got < wanted;) {
        const read = await file?.read(piece, got, wanted - got, at + got);
        if (read === undefined || read.bytesRead === 0) throw new Error('it became shorter');
        got += read.bytesRead;
      }
    } catch (error) {
      throw this.#failed('read', error);
    }
  }

  #failed(what: string, error: unknown): TsbkError {
    return new TsbkError(
      'scratch-failed',
      `cannot ${what} a temporary file in ${this.#directory}: ${messageOf(error)}`,
      {
        hint: 'Segments larger than 16 MiB are held there until they are stored. Free some space, or name another directory (TSBK_SCRATCH_DIRECTORY).',
        cause: error,
      },
    );
  }
}
