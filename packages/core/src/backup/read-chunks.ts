import type { DataFile } from '../cluster/data-directory.ts';
import { PAGE_BYTES } from '../format/page.ts';
import type { Lsn } from '../kernel/lsn.ts';
import type { TreePath } from '../kernel/tree-path.ts';
import type { ByteSource } from '../ports/bytes.ts';
import type { Turnstile } from '../stream/turnstile.ts';
import type { FilesBatches } from './files-batches.ts';
import type { PageCheck } from './page-check.ts';

/** What it takes to read one file of a task. */
export interface FileContext {
  readonly path: TreePath;
  /** See `FilesTask`. */
  readonly verifyBefore: Lsn | undefined;
  /** For one chunk: each is lent, and done with when the next one is asked for. */
  readonly memory: Buffer;
  readonly batches: FilesBatches;
  /** Passed by all bytes that are read: the limit on the disk's rate. */
  readonly pace: Turnstile | undefined;
  readonly signal: AbortSignal;
}

/** Small enough for memory, large enough for the system calls not to matter. */
export const CHUNK_BYTES = 32 * PAGE_BYTES;

/**
 * A file from its first byte on, as many bytes as it had when it was opened: what has been added
 * since is left out and what has been cut off is zeros, and recovery does either again from WAL.
 */
export async function* readChunks(
  file: DataFile,
  { memory, pace, signal }: Pick<FileContext, 'memory' | 'pace' | 'signal'>,
  check?: PageCheck,
): ByteSource {
  for (let position = 0; position < file.bytes;) {
    const chunk = memory.subarray(0, Math.min(memory.length, file.bytes - position));
    await pace?.(chunk.length, signal);
    signal.throwIfAborted();
    const got = file.read(chunk, position);
    if (got < chunk.length) chunk.fill(0, got);
    check?.look(chunk.subarray(0, got - (got % PAGE_BYTES)), position);
    position += chunk.length;
    yield chunk;
  }
}

/** Pages of a file by their numbers, ascending, neighbours together. What was cut off is zeros. */
export async function* readBlocks(
  file: DataFile,
  blocks: Uint32Array,
  {
    memory,
    pace,
    signal,
    check,
  }: Pick<FileContext, 'memory' | 'pace' | 'signal'> & { readonly check?: PageCheck | undefined },
): ByteSource {
  for (let index = 0; index < blocks.length;) {
    const run = runLength(blocks, index, memory.length / PAGE_BYTES);
    const chunk = memory.subarray(0, run * PAGE_BYTES);
    const position = (blocks[index] ?? 0) * PAGE_BYTES;
    await pace?.(chunk.length, signal);
    signal.throwIfAborted();
    const got = file.read(chunk, position);
    if (got < chunk.length) chunk.fill(0, got);
    check?.look(chunk.subarray(0, got - (got % PAGE_BYTES)), position);
    index += run;
    yield chunk;
  }
}

/** How many numbers from `index` on, at most `max`, follow each other without a gap. */
function runLength(blocks: Uint32Array, index: number, max: number): number {
  const first = blocks[index] ?? 0;
  let length = 1;
  while (length < max && blocks[index + length] === first + length) length += 1;
  return length;
}
