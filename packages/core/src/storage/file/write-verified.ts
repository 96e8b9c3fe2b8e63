import type { FileHandle } from 'node:fs/promises';
import { TsbkError } from '../../kernel/errors.ts';
import { release } from '../../stream/release.ts';

const PIECE_BYTES = 1024 * 1024;

/**
 * Writes `bytes` at `offset` and reads them back. The copy read comes from the page cache: it
 * proves what the kernel was given, for which memcmp is cheaper than any hash; what the disk made
 * of it is for `fsync` to say, and for the checksums that are checked whenever an object is read.
 */
export async function writeVerified(
  handle: FileHandle,
  bytes: Uint8Array,
  offset: number,
): Promise<void> {
  const copy = Buffer.allocUnsafeSlow(Math.min(bytes.length, PIECE_BYTES));
  try {
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
      const piece = bytes.subarray(at, at + PIECE_BYTES);
      await writeAll(handle, piece, offset + at);
      const read = await readAll(handle, copy.subarray(0, piece.length), offset + at);
      if (read === piece.length && copy.compare(piece, 0, read, 0, read) === 0) continue;
      throw new TsbkError(
        'store-corrupt-write',
        `the file system returned other bytes than were written at offset ${offset + at}`,
      );
    }
  } finally {
    // A small heap is collected whole for every few of these.
    release(copy);
  }
}

async function writeAll(handle: FileHandle, bytes: Uint8Array, offset: number): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, offset + done);
    done += bytesWritten;
  }
}

async function readAll(handle: FileHandle, into: Uint8Array, offset: number): Promise<number> {
  let done = 0;
  while (done < into.length) {
    const { bytesRead } = await handle.read(into, done, into.length - done, offset + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return done;
}
