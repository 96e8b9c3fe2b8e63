import { setImmediate as nextTurn } from 'node:timers/promises';
import { Decompress } from 'fzstd';
import { messageOf } from '../../kernel/errors.ts';
import type { ByteSource } from '../../ports/bytes.ts';
import { corrupt } from '../corrupt.ts';
import type { ZstdFrame } from './frame.ts';
import { xxh64 } from './xxh64.ts';

/**
 * The content of one frame by `fzstd`, for a Node.js without zstd. `fzstd` looks neither at the
 * checksum nor at the length of a frame, nor whether matches stay inside the window; the first two
 * are checked here, and a checksum finds the third. Throws `object-corrupt`.
 */
export async function* decompressFramePortably(frame: ZstdFrame): ByteSource {
  const hash = xxh64();
  let bytes = 0;
  let end: Uint8Array = new Uint8Array(0);
  const pieces = rememberLast(frame.bytes, (piece) => {
    end = piece;
  });
  for await (const plain of blocksOf(pieces)) {
    bytes += plain.length;
    if (frame.hasChecksum) hash.update(plain);
    yield plain;
  }
  if (frame.hasChecksum && Buffer.from(end).readUInt32LE() !== hash.digestLow()) {
    throw corrupt('zstd', 'the checksum of its content does not match');
  }
  if (frame.contentBytes !== undefined && frame.contentBytes !== bytes) {
    throw corrupt('zstd', `a frame of ${frame.contentBytes} bytes has ${bytes}`);
  }
}

/** Feeds one block at a time, which bounds what `fzstd` returns at once. */
async function* blocksOf(pieces: ByteSource): ByteSource {
  const plain: Uint8Array[] = [];
  const decoder = new Decompress((chunk) => {
    if (chunk.length > 0) plain.push(chunk);
  });
  for await (const piece of pieces) {
    push(decoder, piece, { final: false });
    yield* plain.splice(0);
    // Signals and sockets get their turn, also where the source never waits.
    await nextTurn();
  }
  // Less than 18 bytes wait inside until they hear that there are no more.
  push(decoder, new Uint8Array(0), { final: true });
  yield* plain;
}

function push(decoder: Decompress, piece: Uint8Array, { final }: { final: boolean }): void {
  try {
    decoder.push(piece, final);
  } catch (error) {
    throw corrupt('zstd', messageOf(error), error);
  }
}

async function* rememberLast(
  source: ByteSource,
  remember: (piece: Uint8Array) => void,
): ByteSource {
  for await (const piece of source) {
    remember(piece);
    yield piece;
  }
}
