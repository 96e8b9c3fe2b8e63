import type { Instant } from '../../kernel/instant.ts';
import type { Lsn } from '../../kernel/lsn.ts';

/** A record of the WAL, and where the next one begins. */
interface Located {
  readonly lsn: Lsn;
  readonly endLsn: Lsn;
}

/** The end of a transaction, as recovery counts it: prepared ones end with their second phase. */
export interface TransactionEnd extends Located {
  readonly kind: 'commit' | 'abort';
  readonly xid: number;
  readonly time: Instant;
}

/** `pg_create_restore_point(name)`. */
export interface RestorePoint extends Located {
  readonly kind: 'restore-point';
  readonly name: string;
  readonly time: Instant;
}

/** `CREATE TABLESPACE`: recovery makes the directory, wherever it runs. */
export interface TablespaceCreation extends Located {
  readonly kind: 'tablespace';
  readonly oid: number;
  /** Absolute. */
  readonly path: string;
}

/** `switch` ends its segment; `other` is everything that no recovery target looks at. */
export interface PlainRecord extends Located {
  readonly kind: 'switch' | 'other';
}

export type WalRecord = TransactionEnd | RestorePoint | TablespaceCreation | PlainRecord;

/** Always the last item: where the WAL ends, and why. */
export interface WalEnd {
  readonly kind: 'end';
  /** Where the next record would begin; where the walk began if there was none. */
  readonly lsn: Lsn;
  /**
   * `source`: the bytes ended, perhaps inside a record. `empty`: nothing was written from here on.
   * `invalid`: what follows is no valid record, which is how WAL ends in a segment used before.
   */
  readonly reason: 'source' | 'empty' | 'invalid';
  /** What is wrong with what follows. */
  readonly problem?: string;
}
