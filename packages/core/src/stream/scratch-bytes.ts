import { scratchFile, type ScratchFile } from './scratch-file.ts';

/**
 * Bytes that are put away one after the other and read again anywhere. The first of them stay in
 * memory; from a bound on they go to a temporary file without a name, so that nothing is left of it,
 * however the run ends. A call begins when the one before has settled.
 */
export interface ScratchBytes extends AsyncDisposable {
  /** How many there are: where the next ones will be. */
  readonly bytes: number;
  /** Copies a chunk to the end. Throws `scratch-failed`. */
  append(chunk: Uint8Array): Promise<void>;
  /** A copy of `bytes` bytes from `at` on, all of which were appended. Throws `scratch-failed`. */
  read(at: number, bytes: number): Promise<Buffer>;
}

export interface ScratchOptions {
  /** Where the temporary file goes if there is need of one. */
  readonly directory: string;
  /** Bytes kept in memory, taken as they come. Default 32 MiB. */
  readonly memoryBytesMax?: number;
}

/** Bytes kept in memory unless it is said otherwise. */
export const SCRATCH_MEMORY_BYTES = 32 * 1024 * 1024;
const BLOCK_BYTES = 1024 * 1024;

/** Nothing yet. */
export function scratchBytes(options: ScratchOptions): ScratchBytes {
  return new Scratch(options);
}

/** Blocks in memory, then the file, then what is not written yet. */
class Scratch implements ScratchBytes {
  readonly #file: ScratchFile;
  readonly #memoryBytesMax: number;
  readonly #blocks: Buffer[] = [];
  #fileBytes = 0;
  #tail: Buffer | undefined;
  #tailBytes = 0;
  #memoryBytes = 0;

  constructor({ directory, memoryBytesMax = SCRATCH_MEMORY_BYTES }: ScratchOptions) {
    const holds = 'It holds the pages that changed since the full backup.';
    this.#file = scratchFile(directory, holds);
    this.#memoryBytesMax = Math.ceil(memoryBytesMax / BLOCK_BYTES) * BLOCK_BYTES;
  }

  get bytes(): number {
    return this.#memoryBytes + this.#fileBytes + this.#tailBytes;
  }

  async append(chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.length;) {
      const rest = chunk.subarray(at);
      at +=
        this.#memoryBytes < this.#memoryBytesMax ? this.#toMemory(rest) : await this.#toTail(rest);
    }
  }

  async read(at: number, bytes: number): Promise<Buffer> {
    if (at + bytes > this.bytes)
      throw new RangeError(`${bytes} bytes at ${at} were never put away`);
    const out = Buffer.allocUnsafe(bytes);
    let filled = 0;
    while (filled < bytes && at + filled < this.#memoryBytes) {
      const place = at + filled;
      const start = place % BLOCK_BYTES;
      const block = this.#blocks[(place - start) / BLOCK_BYTES] ?? Buffer.alloc(0);
      const end = Math.min(BLOCK_BYTES, start + bytes - filled);
      filled += block.copy(out, filled, start, end);
    }
    if (filled < bytes) {
      await this.#flush();
      await this.#file.read(out.subarray(filled), at + filled - this.#memoryBytes);
    }
    return out;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#tail = undefined;
    this.#blocks.length = 0;
    await this.#file[Symbol.asyncDispose]();
  }

  #toMemory(chunk: Uint8Array): number {
    const start = this.#memoryBytes % BLOCK_BYTES;
    const index = (this.#memoryBytes - start) / BLOCK_BYTES;
    const block = (this.#blocks[index] ??= Buffer.allocUnsafeSlow(BLOCK_BYTES));
    const piece = chunk.subarray(0, BLOCK_BYTES - start);
    block.set(piece, start);
    this.#memoryBytes += piece.length;
    return piece.length;
  }

  async #toTail(chunk: Uint8Array): Promise<number> {
    if (this.#tailBytes === BLOCK_BYTES) await this.#flush();
    const tail = (this.#tail ??= Buffer.allocUnsafeSlow(BLOCK_BYTES));
    const piece = chunk.subarray(0, BLOCK_BYTES - this.#tailBytes);
    tail.set(piece, this.#tailBytes);
    this.#tailBytes += piece.length;
    return piece.length;
  }

  async #flush(): Promise<void> {
    const bytes = this.#tail?.subarray(0, this.#tailBytes);
    if (bytes === undefined || bytes.length === 0) return;
    await this.#file.write(bytes, this.#fileBytes);
    this.#fileBytes += bytes.length;
    this.#tailBytes = 0;
  }
}
