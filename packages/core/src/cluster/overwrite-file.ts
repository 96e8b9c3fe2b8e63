import { fstatSync, ftruncateSync, readSync, writeSync } from 'node:fs';
import { PAGE_BYTES } from '../format/page.ts';
import type { ByteSource } from '../ports/bytes.ts';

export interface OverwriteOptions {
  readonly signal: AbortSignal;
  /** Hears of the bytes written, chunk by chunk. */
  readonly onWritten: (bytes: number) => void;
}

/**
 * Gives an open file this content: page by page, and a page that is there already is not written.
 * By blocking calls, like everything that places. Gives the bytes written. Throws what the system
 * says; what cannot be read is written.
 */
export async function overwriteFile(
  fd: number,
  body: ByteSource,
  { signal, onWritten }: OverwriteOptions,
): Promise<number> {
  const { size } = fstatSync(fd);
  let old = Buffer.alloc(0);
  let position = 0;
  let written = 0;
  for await (const chunk of body) {
    signal.throwIfAborted();
    if (old.length < chunk.length) old = Buffer.allocUnsafeSlow(chunk.length);
    const there = position < size ? readAt(fd, old.subarray(0, chunk.length), position) : 0;
    const differing = writeDifferent(fd, chunk, { old: old.subarray(0, there), position });
    onWritten(differing);
    written += differing;
    position += chunk.length;
  }
  if (size !== position) ftruncateSync(fd, position);
  return written;
}

/** Neighbours that differ are written together. */
function writeDifferent(
  fd: number,
  chunk: Uint8Array,
  { old, position }: { readonly old: Buffer; readonly position: number },
): number {
  let written = 0;
  let from: number | undefined;
  const write = (to: number): void => {
    if (from === undefined) return;
    for (let at = from; at < to;) at += writeSync(fd, chunk, at, to - at, position + at);
    written += to - from;
    from = undefined;
  };
  for (let at = 0; at < chunk.length;) {
    const page = PAGE_BYTES - ((position + at) % PAGE_BYTES);
    const end = Math.min(at + page, chunk.length);
    const isSame = end <= old.length && old.compare(chunk, at, end, at, end) === 0;
    if (isSame) write(at);
    else from ??= at;
    at = end;
  }
  write(chunk.length);
  return written;
}

/** Bytes read; 0 where the disk does not give them. */
function readAt(fd: number, target: Uint8Array, position: number): number {
  try {
    let filled = 0;
    while (filled < target.length) {
      const got = readSync(fd, target, filled, target.length - filled, position + filled);
      if (got === 0) break;
      filled += got;
    }
    return filled;
  } catch {
    return 0;
  }
}
