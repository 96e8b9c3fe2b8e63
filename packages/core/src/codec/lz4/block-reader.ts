import type { ByteReader } from '../../format/byte-reader.ts';
import { messageOf } from '../../kernel/errors.ts';
import { corrupt } from '../corrupt.ts';
import { PREFIX_BYTES, decompressBlock } from './block.ts';

/** LZ4 turns one byte into at most this many. */
const EXPANSION_MAX = 255;

/**
 * Takes the blocks of one frame from a reader. It holds one compressed block, in memory that it
 * uses again; what it has decompressed belongs to the caller.
 */
export class BlockReader {
  readonly #reader: ByteReader;
  readonly #blockBytesMax: number;
  #scratch = Buffer.alloc(PREFIX_BYTES);
  #largest = 0;

  /** `blockBytesMax` bounds what one block decompresses to. */
  constructor(reader: ByteReader, blockBytesMax: number) {
    this.#reader = reader;
    this.#blockBytesMax = blockBytesMax;
  }

  /** Reads a block of `bytes` bytes as it is stored. The result is valid until the next call. */
  async read(bytes: number): Promise<Buffer> {
    const end = PREFIX_BYTES + bytes;
    if (this.#scratch.length < end) this.#scratch = Buffer.allocUnsafeSlow(end);
    let filled = PREFIX_BYTES;
    while (filled < end) {
      const piece = await this.#reader.some(end - filled);
      if (piece === undefined) throw corrupt('lz4', 'it ends in the middle of a block');
      this.#scratch.set(piece, filled);
      filled += piece.length;
    }
    return this.#scratch.subarray(PREFIX_BYTES, end);
  }

  /** Decompresses the `bytes` bytes that `read` has just read. */
  decompress(bytes: number, history: Uint8Array | undefined): Buffer {
    const block = this.#scratch.subarray(0, PREFIX_BYTES + bytes);
    const limit = Math.min(this.#blockBytesMax, bytes * EXPANSION_MAX);
    const plain =
      this.#tryLikelySize(block, limit, history) ?? decompressOrThrow(block, limit, history);
    this.#largest = Math.max(this.#largest, plain.length);
    return plain;
  }

  /**
   * The library clears all of the memory that the limit allows, so a limit of 4 MiB is dear where
   * blocks are small. Writers fill their blocks alike: try the largest size so far.
   */
  #tryLikelySize(
    block: Buffer,
    limit: number,
    history: Uint8Array | undefined,
  ): Buffer | undefined {
    if (this.#largest === 0 || this.#largest >= limit) return undefined;
    try {
      return decompressBlock(block, { limit: this.#largest, history });
    } catch {
      return undefined;
    }
  }
}

function decompressOrThrow(block: Buffer, limit: number, history: Uint8Array | undefined): Buffer {
  try {
    return decompressBlock(block, { limit, history });
  } catch (error) {
    throw corrupt('lz4', `a block is damaged (${messageOf(error)})`, error);
  }
}
