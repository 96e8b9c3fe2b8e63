import type { SystemId } from '../kernel/system-id.ts';

/** What a backup records of the server it comes from. */
export interface ServerIdentity {
  readonly systemId: SystemId;
  /** `server_version_num`, for example 170010. */
  readonly versionNumber: number;
  readonly segmentBytes: number;
  readonly inRecovery: boolean;
  /** Permission bits of the data directory: 0o700 or 0o750. */
  readonly dataDirectoryMode: number;
  /** `undefined` when the role may not see it (`pg_read_all_settings`). */
  readonly dataDirectory: string | undefined;
}

/** A database of the cluster. */
export interface ClusterDatabase {
  readonly name: string;
  readonly oid: number;
}

/** A relation with storage of its own, or a partitioned table, whose `filenode` is 0. */
export interface DatabaseRelation {
  /** `schema.name` */
  readonly name: string;
  readonly oid: number;
  /** The number its files are called by. */
  readonly filenode: number;
}

/** A relation, and the one it stands under: itself, or the table that is no use without it. */
export interface OwnedRelation extends DatabaseRelation {
  readonly owner: number;
}

/** What `backup-push` asks of the server beside the backup itself. */
export interface BackupServer {
  readonly identity: ServerIdentity;
  /** Databases one can connect to; `undefined` when there is no session to ask in. */
  databases(): Promise<readonly ClusterDatabase[] | undefined>;
  /**
   * The relations of a database, each once under itself, followed by those that stand under it:
   * partitions and children, TOAST tables, indexes, sequences it owns. Throws `server-denied`,
   * `server-error`, `server-unreachable`, `connection-lost`.
   */
  relations(
    database: ClusterDatabase,
    options: { readonly signal: AbortSignal },
  ): AsyncIterable<OwnedRelation>;
  /** One sentence on how archiving goes, `undefined` when it cannot be known. */
  archiverState(): Promise<string | undefined>;
  /** Whether it summarizes its WAL (17 and later); `undefined` if it does not say. */
  readonly summarizesWal?: boolean | undefined;
}
