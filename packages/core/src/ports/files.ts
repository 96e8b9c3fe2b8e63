import type { Instant } from '../kernel/instant.ts';
import type { Lsn } from '../kernel/lsn.ts';
import type { TreePath } from '../kernel/tree-path.ts';
import type { ChangedBlocks } from './changed-blocks.ts';

/**
 * Directories and files of a data directory that become one tar. Plain data: whoever makes the tar,
 * in whatever thread, reads the files by itself.
 */
export interface FilesTask {
  /** Key of the object without the codec's extension. */
  readonly key: string;
  /** The data directory, absolute. */
  readonly root: string;
  /** They come first in the tar. Links among them are followed: each becomes a plain directory. */
  readonly directories: readonly TreePath[];
  readonly files: readonly TreePath[];
  /**
   * Verify the checksums of pages that were last changed before this position; those changed since
   * are written anew by recovery. `undefined`: verify none.
   */
  readonly verifyBefore: Lsn | undefined;
  /** Store only what the parent backup does not have; `undefined`: everything. */
  readonly delta: DeltaTask | undefined;
}

/** What a delta is told against. */
export interface DeltaTask {
  /** Where the parent began: whatever was logged before it, the parent has. */
  readonly base: Lsn;
  /** Of each of the task's files, in their order, what the parent has; `undefined`: nothing. */
  readonly known: readonly (KnownFile | undefined)[];
}

/** A file as the parent backup has it. */
export interface KnownFile {
  /** Whole seconds where the parent was streamed; `undefined` if its records do not say. */
  readonly modified: Instant | undefined;
  /** Length and CRC-32C of the whole file; `undefined` if the parent's manifest has none of it. */
  readonly sum: { readonly bytes: number; readonly crc: number } | undefined;
  /** Which pages were changed since, where the server's WAL summaries tell. If not, each is looked at. */
  readonly changed?: ChangedBlocks | undefined;
}

/**
 * What was read: what was gone when its turn came is not among it. How much of a file is in the tar:
 * `whole`, the pages that the parent does not have (`incremented`), or nothing at all (`skipped`),
 * because its content is proven to be the parent's.
 */
export interface ReadMember {
  readonly kind: 'file' | 'directory';
  readonly path: TreePath;
  readonly content: 'whole' | 'incremented' | 'skipped';
  /** Its length; a file that grew was cut to this, one that shrank filled with zeros. */
  readonly fileBytes: number;
  /** Of the payload in the tar; of the file if it was skipped. */
  readonly bytes: number;
  readonly modified: Instant;
  /** CRC-32C of those `bytes`, as a number; 0 for directories. */
  readonly crc: number;
  /** The content is not the parent's though the time of the last change is. */
  readonly contradicts?: boolean;
}

/** Pages of one file whose checksums are wrong. */
export interface DamagedPages {
  readonly path: TreePath;
  /** Block numbers within the file, ascending; the first thousand of them. */
  readonly blocks: readonly number[];
  readonly count: number;
}

/** Some of what was read since the last batch, at most a few hundred members. */
export interface FilesBatch {
  /** Payload bytes read. */
  readonly bytes: number;
  readonly members: readonly ReadMember[];
  readonly damaged: readonly DamagedPages[];
}

export interface FilesOptions {
  readonly signal: AbortSignal;
  /**
   * Hears of everything, in the order of the tar, before the task settles. What it throws ends the
   * task.
   */
  readonly onBatch: (batch: FilesBatch) => void;
}
