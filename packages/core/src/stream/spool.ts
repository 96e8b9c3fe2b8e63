import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { ByteSource } from '../ports/bytes.ts';
import { scratchFile, type ScratchFile } from './scratch-file.ts';

/**
 * Texts that are put away piece by piece and read again later, such as a line for each file of a
 * backup: memory does not depend on how much it is. Compressed blocks stay in memory up to a bound
 * and go to a temporary file from there on. The file has no name any more once it is open, so that
 * nothing is left of it, however the run ends.
 */
export interface Spool extends AsyncDisposable {
  /** Begins a text. Several may be written in turn; each keeps less than a block uncompressed. */
  text(): SpooledText;
}

/** One text of a spool. A call begins when the one before has settled. */
export interface SpooledText {
  /** Throws `scratch-failed` when the temporary file cannot be made or written. */
  append(piece: string): Promise<void>;
  /** No more will come: frees what is not compressed yet. */
  end(): Promise<void>;
  /** All of it from its beginning, UTF-8. Throws `scratch-failed`. */
  read(): ByteSource;
}

export interface SpoolOptions {
  /** Where the temporary file goes if there is need of one. */
  readonly directory: string;
  /** Compressed bytes kept in memory. Default 8 MiB. */
  readonly memoryBytesMax?: number;
}

const MEMORY_BYTES_MAX = 8 * 1024 * 1024;
const BLOCK_BYTES = 64 * 1024;
/** The fastest level: these texts shrink to a tenth with it. */
const LEVEL = 1;

/** Opens a spool; nothing is written before there is need. */
export function openSpool(options: SpoolOptions): Spool {
  const blocks = new BlockKeeper(options);
  return {
    text: () => new Text(blocks),
    [Symbol.asyncDispose]: () => blocks.close(),
  };
}

class Text implements SpooledText {
  readonly #keeper: BlockKeeper;
  readonly #blocks: Block[] = [];
  /** What is not compressed yet. Not a string: a long one made of pieces is a tree of garbage. */
  #tail: Buffer | undefined;
  #tailBytes = 0;

  constructor(keeper: BlockKeeper) {
    this.#keeper = keeper;
  }

  async append(piece: string): Promise<void> {
    // No UTF-16 unit takes more than three bytes.
    if (this.#tailBytes + 3 * piece.length > BLOCK_BYTES) {
      await this.end();
      if (3 * piece.length > BLOCK_BYTES) {
        this.#blocks.push(await this.#keeper.keep(Buffer.from(piece)));
        return;
      }
    }
    this.#tail ??= Buffer.allocUnsafeSlow(BLOCK_BYTES);
    this.#tailBytes += this.#tail.write(piece, this.#tailBytes);
  }

  async end(): Promise<void> {
    const plain = this.#tail?.subarray(0, this.#tailBytes);
    this.#tail = undefined;
    this.#tailBytes = 0;
    if (plain !== undefined && plain.length > 0) this.#blocks.push(await this.#keeper.keep(plain));
  }

  async *read(): ByteSource {
    for (const block of this.#blocks) yield await this.#keeper.plain(block);
    if (this.#tail !== undefined) yield Uint8Array.from(this.#tail.subarray(0, this.#tailBytes));
  }
}

interface Block {
  readonly plainBytes: number;
  readonly deflated: Uint8Array | { readonly at: number; readonly bytes: number };
}

class BlockKeeper {
  readonly #file: ScratchFile;
  readonly #memoryBytesMax: number;
  #memoryBytes = 0;
  #fileBytes = 0;

  constructor({ directory, memoryBytesMax = MEMORY_BYTES_MAX }: SpoolOptions) {
    this.#file = scratchFile(directory, 'It holds some ten bytes for each file of the backup.');
    this.#memoryBytesMax = memoryBytesMax;
  }

  async keep(plain: Uint8Array): Promise<Block> {
    const deflated = deflateRawSync(plain, { level: LEVEL });
    const plainBytes = plain.length;
    if (this.#memoryBytes + deflated.length <= this.#memoryBytesMax) {
      this.#memoryBytes += deflated.length;
      // A copy: zlib's buffer is as long as its output might have been.
      return { plainBytes, deflated: Uint8Array.from(deflated) };
    }
    // The place is taken before anything is waited for, so that two blocks never share it.
    const at = this.#fileBytes;
    this.#fileBytes += deflated.length;
    await this.#file.write(deflated, at);
    return { plainBytes, deflated: { at, bytes: deflated.length } };
  }

  async plain({ plainBytes, deflated }: Block): Promise<Uint8Array> {
    const bytes = deflated instanceof Uint8Array ? deflated : await this.#read(deflated);
    return inflateRawSync(bytes, { maxOutputLength: plainBytes });
  }

  async close(): Promise<void> {
    await this.#file[Symbol.asyncDispose]();
  }

  async #read({ at, bytes }: { readonly at: number; readonly bytes: number }): Promise<Uint8Array> {
    const buffer = Buffer.allocUnsafe(bytes);
    await this.#file.read(buffer, at);
    return buffer;
  }
}
