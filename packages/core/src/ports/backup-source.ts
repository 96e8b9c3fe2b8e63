import type { Instant } from '../kernel/instant.ts';
import type { Lsn } from '../kernel/lsn.ts';
import type { TimelineId } from '../kernel/wal-file.ts';
import type { ByteSource } from './bytes.ts';
import type { ChangedRelations, WalStretch } from './changed-blocks.ts';

/** A tablespace other than the two built-in ones. */
export interface Tablespace {
  readonly oid: number;
  /** Directory on the server; relative (`pg_tblspc/OID`) for an in-place tablespace. */
  readonly location: string;
}

/** Where recovery of a backup begins. */
export interface BackupPosition {
  readonly startLsn: Lsn;
  readonly timeline: TimelineId;
}

export interface BackupStart extends BackupPosition {
  readonly tablespaces: readonly Tablespace[];
  /** The server's estimate of the bytes to come, for progress. */
  readonly estimatedBytes?: number;
}

/** A file, directory or symbolic link of the data directory. */
export interface SourceMember {
  readonly kind: 'file' | 'directory' | 'symlink';
  /**
   * Path below the data directory, `/`-separated, no leading slash and none at the end:
   * `base/5/1259`, `pg_tblspc/16384/PG_17_202406281/5/16385`, `backup_label`.
   */
  readonly path: string;
  /** The path's bytes, when they are not valid UTF-8 (then `path` has replacement characters). */
  readonly rawPath?: Uint8Array;
  /** Payload bytes; 0 unless `kind` is `file`. */
  readonly bytes: number;
  /** Permission bits, 0o7777 at most. */
  readonly mode: number;
  readonly modified: Instant;
  readonly uid: number;
  readonly gid: number;
  readonly linkTarget?: string;
}

export type BackupItem =
  | {
      readonly kind: 'member';
      readonly member: SourceMember;
      /**
       * Exactly `member.bytes` bytes. Must be consumed or returned before the next item. A chunk is
       * lent: it may change when the next one is asked for.
       */
      readonly body: ByteSource;
    }
  | {
      /** PostgreSQL's own `backup_manifest`, byte for byte. Comes after all members; lent as they are. */
      readonly kind: 'manifest';
      readonly body: ByteSource;
    };

export interface BackupEnd {
  readonly stopLsn: Lsn;
  readonly timeline: TimelineId;
}

/** A backup under way. Disposing it before its end makes the server abort it. */
export type OpenBackup = StreamBackup | FilesBackup;

/** A backup whose files the server sends. */
export interface StreamBackup extends AsyncDisposable {
  readonly kind: 'stream';
  readonly start: BackupStart;
  /** Everything of the backup, once, in the order it comes. `global/pg_control` is the last file. */
  items(): AsyncIterable<BackupItem>;
  /**
   * Waits for the server's last word after the items have ended. Throws `page-checksum`,
   * `server-promoted`, `connection-lost`, `server-error`: then there is no backup.
   */
  end(): Promise<BackupEnd>;
}

/** A backup whose files are read where they lie, between its start and its end. */
export interface FilesBackup extends AsyncDisposable {
  readonly kind: 'files';
  readonly start: BackupPosition;
  /** The server's data directory, absolute. */
  readonly directory: string;
  /** Aborts when the session that holds the backup is lost: the server has ended it then. */
  readonly lost: AbortSignal;
  /**
   * What the server's WAL summaries say was changed in these stretches, or a clause that says why they
   * do not suffice (PostgreSQL 17 and later). Throws `connection-lost`.
   */
  changedIn(stretches: readonly WalStretch[]): Promise<ChangedRelations | string>;
  /**
   * Ends the backup after all files have been read. Throws `server-promoted`, `connection-lost`,
   * `server-error`: then there is no backup.
   */
  stop(): Promise<FilesEnd>;
}

export interface FilesEnd extends BackupEnd {
  /** `backup_label` and `tablespace_map`, byte for byte; the map is empty without tablespaces. */
  readonly label: Uint8Array;
  readonly tablespaceMap: Uint8Array;
}

export interface BackupRequest {
  /** Goes into `backup_label`; at most 1024 bytes. */
  readonly label: string;
  /** `fast` asks for a checkpoint at once, `spread` waits for a scheduled one. */
  readonly checkpoint: 'fast' | 'spread';
  /** Bytes a second the server may send; unlimited if absent. */
  readonly maxRateBytes?: number | undefined;
  /** Let the server verify page checksums while it reads. */
  readonly verifyChecksums: boolean;
  /**
   * The manifest of an earlier backup: of the files it lists the server sends only what changed since,
   * as `INCREMENTAL.` members (PostgreSQL 17 and later). `open` throws `delta-refused` where the
   * server cannot or will not, `parent-refused` where that speaks, or may speak, against the earlier
   * backup itself; what the source of these bytes throws comes out as it is.
   */
  readonly sinceManifest?: ByteSource | undefined;
}

/**
 * Where a base backup comes from. It never waits for WAL to be archived: whoever completes the
 * backup does that, with a bound.
 */
export interface BackupSource<Backup extends OpenBackup = OpenBackup> {
  open(request: BackupRequest, options: { readonly signal: AbortSignal }): Promise<Backup>;
}
