import type { Instant } from '../kernel/instant.ts';
import type { Lsn } from '../kernel/lsn.ts';
import type { TreePath } from '../kernel/tree-path.ts';

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
}

/** What went into the tar: what was gone when its turn came is not among it. */
export interface ReadMember {
  readonly kind: 'file' | 'directory';
  readonly path: TreePath;
  /** Payload bytes in the tar; a file that grew was cut to this, one that shrank filled with zeros. */
  readonly bytes: number;
  readonly modified: Instant;
  /** CRC-32C of the payload, as a number; 0 for directories. */
  readonly crc: number;
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
