import type { ByteSource } from '../ports/bytes.ts';
import { scratchFile, type ScratchFile } from './scratch-file.ts';

/**
 * Bytes that are kept until it is known what becomes of them. What does not fit into memory goes to a
 * temporary file without a name, so that nothing is left of it, however the run ends.
 */
export interface HeldBytes extends AsyncDisposable {
  /** How many there are. */
  readonly bytes: number;
  /** Copies a chunk to the end. Throws `scratch-failed`. */
  append(chunk: Uint8Array): Promise<void>;
  /** All of them from the first; lent. Nothing may be appended meanwhile. Throws `scratch-failed`. */
  read(): ByteSource;
  /** Forgets them; memory and file are used again. */
  clear(): void;
}

export interface HeldOptions {
  /** Where the temporary file goes if there is need of one. */
  readonly directory: string;
  /** Bytes kept in memory; taken when there is something to keep. Default 4 MiB. */
  readonly memoryBytesMax?: number;
}

const MEMORY_BYTES_MAX = 4 * 1024 * 1024;
const PIECE_BYTES = 256 * 1024;

/** Nothing yet. */
export function heldBytes({
  directory,
  memoryBytesMax = MEMORY_BYTES_MAX,
}: HeldOptions): HeldBytes {
  return new Held(directory, memoryBytesMax);
}

/** The file has what came first, the memory what came after it. */
class Held implements HeldBytes {
  readonly #file: ScratchFile;
  readonly #memoryBytesMax: number;
  #memory: Buffer | undefined;
  #memoryBytes = 0;
  #fileBytes = 0;

  constructor(directory: string, memoryBytesMax: number) {
    this.#file = scratchFile(directory, 'It holds what changed of one file, 1 GiB at most.');
    this.#memoryBytesMax = memoryBytesMax;
  }

  get bytes(): number {
    return this.#fileBytes + this.#memoryBytes;
  }

  async append(chunk: Uint8Array): Promise<void> {
    const memory = (this.#memory ??= Buffer.allocUnsafeSlow(this.#memoryBytesMax));
    for (let at = 0; at < chunk.length;) {
      if (this.#memoryBytes === memory.length) await this.#putAway(memory);
      const piece = chunk.subarray(at, at + memory.length - this.#memoryBytes);
      memory.set(piece, this.#memoryBytes);
      this.#memoryBytes += piece.length;
      at += piece.length;
    }
  }

  async *read(): ByteSource {
    const piece = Buffer.allocUnsafeSlow(Math.min(PIECE_BYTES, this.#fileBytes));
    for (let at = 0; at < this.#fileBytes; at += piece.length) {
      const part = piece.subarray(0, Math.min(piece.length, this.#fileBytes - at));
      await this.#file.read(part, at);
      yield part;
    }
    const rest = this.#memory?.subarray(0, this.#memoryBytes) ?? Buffer.alloc(0);
    for (let at = 0; at < rest.length; at += PIECE_BYTES) {
      yield rest.subarray(at, at + PIECE_BYTES);
    }
  }

  clear(): void {
    this.#memoryBytes = 0;
    this.#fileBytes = 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#memory = undefined;
    this.clear();
    await this.#file[Symbol.asyncDispose]();
  }

  async #putAway(memory: Buffer): Promise<void> {
    await this.#file.write(memory, this.#fileBytes);
    this.#fileBytes += memory.length;
    this.#memoryBytes = 0;
  }
}
