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

/** What `backup-push` asks of the server beside the backup itself. */
export interface BackupServer {
  readonly identity: ServerIdentity;
  /** One sentence on how archiving goes, `undefined` when it cannot be known. */
  archiverState(): Promise<string | undefined>;
  /** Whether it summarizes its WAL (17 and later); `undefined` if it does not say. */
  readonly summarizesWal?: boolean | undefined;
}
