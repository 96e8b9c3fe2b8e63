import type { Lsn } from '../kernel/lsn.ts';
import type { TreePath } from '../kernel/tree-path.ts';
import type { TimelineId } from '../kernel/wal-file.ts';

/** A stretch of WAL on one timeline. */
export interface WalStretch {
  readonly timeline: TimelineId;
  /** Of its first record. */
  readonly from: Lsn;
  /** Of the first record after it. */
  readonly to: Lsn;
}

/** What of one file of a relation was changed, in blocks counted from the start of that file. */
export interface ChangedBlocks {
  /** Ascending, each once. */
  readonly blocks: Uint32Array;
  /** From here on every block counts as changed, because the relation was cut off there; or `Infinity`. */
  readonly from: number;
}

/** What was changed in the main forks of all relations of a server. */
export interface ChangedRelations {
  /** Of a file below `base` or `pg_tblspc` that is named as a relation. */
  of(path: TreePath): ChangedBlocks;
}
