import { setImmediate as nextTurn } from 'node:timers/promises';
import { ByteReader } from '../../format/byte-reader.ts';
import type { ByteSource } from '../../ports/bytes.ts';
import { corrupt } from '../corrupt.ts';
import { type LzmaHeader, readLzmaHeader } from './header.ts';
import { LzmaDecoder, SYMBOL_INPUT_MAX, SYMBOL_OUTPUT_MAX } from './lzma-decoder.ts';
import { RangeDecoder } from './range-decoder.ts';
import { Window } from './window.ts';

const OUTPUT_BYTES = 64 * 1024;
const INPUT_BYTES = 64 * 1024;

/** The parts of a running decoder. */
interface Decoding {
  readonly coder: RangeDecoder;
  readonly window: Window;
  readonly decoder: LzmaDecoder;
  /** Decompressed length; infinite if only the end marker tells. */
  readonly contentBytes: number;
}

/**
 * Decompresses one stream in the LZMA-alone format (`.lzma`, not `.xz`), of known length, with an
 * end marker, or both. Memory is bounded by a dictionary of 64 MiB. Throws `object-corrupt` for
 * damage that shows, for data that ends early and for bytes after the end. The format carries no
 * checksum: some damage decompresses to other bytes without an error.
 */
export async function* lzmaDecompress(source: ByteSource): ByteSource {
  const reader = new ByteReader(source);
  try {
    const decoding = await begin(reader, await readLzmaHeader(reader));
    for (;;) {
      const isInputComplete = await refill(reader, decoding.coder);
      const isEnd = decodeSome(decoding, isInputComplete);
      const plain = decoding.window.take();
      if (plain.length > 0) yield plain;
      if (isEnd) break;
      // Signals and sockets get their turn, also where the source never waits.
      await nextTurn();
    }
    const isAtEnd = decoding.coder.left === 0 && (await reader.some(1)) === undefined;
    if (!isAtEnd) throw corrupt('lzma', 'there are bytes after its end');
  } finally {
    await reader.close();
  }
}

async function begin(reader: ByteReader, header: LzmaHeader): Promise<Decoding> {
  const coder = new RangeDecoder();
  const window = new Window(header.dictionaryBytes, OUTPUT_BYTES + SYMBOL_OUTPUT_MAX);
  await refill(reader, coder);
  if (!coder.begin()) throw corrupt('lzma', 'its first bytes are damaged');
  return {
    coder,
    window,
    decoder: new LzmaDecoder(header.properties, coder, window),
    contentBytes: Number(header.contentBytes ?? Infinity),
  };
}

/** Gets input for one symbol at least. `true` if the input has ended. */
async function refill(reader: ByteReader, coder: RangeDecoder): Promise<boolean> {
  while (coder.left < SYMBOL_INPUT_MAX) {
    const piece = await reader.some(INPUT_BYTES);
    if (piece === undefined) return true;
    coder.feed(piece);
  }
  return false;
}

/** Decodes while there is input and room. `true` at the end of the stream. */
function decodeSome(decoding: Decoding, isInputComplete: boolean): boolean {
  const { coder, window, decoder, contentBytes } = decoding;
  const inputMin = isInputComplete ? 0 : SYMBOL_INPUT_MAX;
  const roomEnd = window.total + OUTPUT_BYTES;
  while (window.total < roomEnd && coder.left >= inputMin) {
    if (window.total === contentBytes && endsWithoutMarker(coder)) return true;
    const isMarker = !decoder.decodeSymbol();
    if (coder.left < 0) break;
    if (isMarker) return endsWithMarker(decoding);
    if (window.total > contentBytes) {
      throw corrupt('lzma', `it is longer than the ${contentBytes} bytes of its header`);
    }
  }
  if (coder.left < 0) throw corrupt('lzma', 'it ends in the middle of the data');
  return false;
}

/** The marker may follow also where the header tells the length. */
function endsWithoutMarker(coder: RangeDecoder): boolean {
  return coder.isFinished() && coder.left === 0;
}

function endsWithMarker({ coder, window, contentBytes }: Decoding): true {
  if (!coder.isFinished() || coder.left < 0) throw corrupt('lzma', 'its end is damaged');
  if (contentBytes !== Infinity && window.total !== contentBytes) {
    throw corrupt('lzma', `it has ${window.total} bytes, its header says ${contentBytes}`);
  }
  return true;
}
