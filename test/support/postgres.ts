/**
 * Real PostgreSQL servers, 13 to 18, for tests.
 *
 * ```ts
 * await using server = await startPostgres({ version: 17, archiveCommand: `cp %p ${folder}/%f` });
 * await server.query('create table t as select generate_series(1, 1000) as n');
 * const rows = await server.query('select count(*)::int as n from t where n > $1', [500]);
 * await server.stop('fast');
 *
 * await using restored = await startFrom(directory, { version: 17, waitFor: 'end-of-recovery' });
 * ```
 *
 * - `await using` (or `close()`) stops the server and removes everything; what a failed test leaves
 *   open is ended when the test's process ends.
 * - Servers run as an unprivileged user when the tests run as root. Whatever a server must read or
 *   execute (an archive directory, `node`, a bundle) has to be open to that user: see
 *   `stageForServerUser`, `giveToServerUser` and `scratchPath`.
 * - Clusters of one shape come from one template and share its system identifier, unless
 *   `newSystemId` asks for another.
 * - Speed over durability: fsync is off, autovacuum too. `full_page_writes` stays on.
 */
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeCluster, type ClusterShape } from './postgres/cluster.ts';
import { hotCopy } from './postgres/hot-copy.ts';
import { runServer, type Server } from './postgres/server.ts';
import type { PostgresVersion } from './postgres/installation.ts';
import { scratchPath } from './postgres/scratch.ts';
import { giveToServerUser } from './postgres/server-user.ts';

export { connectionOf } from './postgres/connection-of.ts';
export { clientTool, POSTGRES_VERSIONS, serverProgram } from './postgres/installation.ts';
export type { PostgresVersion } from './postgres/installation.ts';
export { scratchPath, scratchPathForServerUser } from './postgres/scratch.ts';
export type { Server } from './postgres/server.ts';
export { giveToServerUser, serverUser } from './postgres/server-user.ts';
export { stageForServerUser } from './postgres/stage.ts';

export interface PostgresOptions extends ClusterShape {
  /** Switches archiving on with this command. */
  readonly archiveCommand?: string;
  /** Goes into `postgresql.conf`, over the harness's own settings. */
  readonly settings?: Readonly<Record<string, string>>;
  /**
   * Lines of `pg_hba.conf`. Default: trust everybody, replication included. A first line that lets
   * `postgres` in by the socket is always there, for `query` and `client`.
   */
  readonly hba?: readonly string[];
  /** Environment of the server, and so of `archive_command`. */
  readonly env?: Readonly<Record<string, string>>;
  /** Where the data directory is made; a scratch path if absent. Must not exist. */
  readonly dataDir?: string;
}

/** Makes a cluster and starts it. Resolves when it accepts connections. */
export async function startPostgres(options: PostgresOptions): Promise<Server> {
  const dataDir = options.dataDir ?? scratchPath('data');
  await makeCluster(dataDir, options);
  writeFileSync(join(dataDir, 'pg_hba.conf'), hbaFile(options.hba));
  const settings = {
    ...harnessSettings(options.version),
    ...(options.archiveCommand === undefined
      ? {}
      : { archive_mode: 'on', archive_command: options.archiveCommand }),
    ...options.settings,
  };
  appendFileSync(join(dataDir, 'postgresql.conf'), settingLines(settings));
  giveToServerUser(dataDir);
  return runServer({ version: options.version, dataDir, env: options.env ?? {}, settings: {} });
}

export interface StartFromOptions {
  readonly version: PostgresVersion;
  /**
   * Settings that win over the directory's configuration files. Archiving is off unless this
   * says otherwise, so that a restored copy does not write into the original's archive.
   */
  readonly settings?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  /** `connections` (default): also a standby's; `end-of-recovery`: promoted, read-write. */
  readonly waitFor?: 'connections' | 'end-of-recovery';
  /** How long starting may take; 60 s if absent. */
  readonly timeoutMs?: number;
  /** Leave the data directory when the server is closed. */
  readonly keep?: boolean;
  /** What `query` and the wait connect to, where there is no `postgres`. */
  readonly database?: string;
}

/**
 * Starts a server on a directory that exists (restored, copied); gives the directory to the
 * server's user. Rejects with the end of the server's log when it does not come up.
 */
export async function startFrom(dataDir: string, options: StartFromOptions): Promise<Server> {
  giveToServerUser(dataDir);
  return runServer({
    version: options.version,
    dataDir,
    env: options.env ?? {},
    settings: { archive_mode: 'off', ...options.settings },
    waitFor: options.waitFor,
    timeoutMs: options.timeoutMs,
    keep: options.keep,
    database: options.database,
  });
}

/**
 * Starts a streaming standby of `primary`: a copy of its directory, made between the two
 * low-level backup calls. Options are those of `startFrom`.
 */
export async function startStandby(
  primary: Server,
  options: Omit<StartFromOptions, 'version' | 'waitFor'> = {},
): Promise<Server> {
  const dataDir = await hotCopy(primary, 'standby');
  writeFileSync(join(dataDir, 'standby.signal'), '');
  const conninfo = `host=${primary.socketDir} port=${primary.port} user=postgres`;
  const follow = { primary_conninfo: conninfo };
  appendFileSync(join(dataDir, 'postgresql.auto.conf'), settingLines(follow));
  return startFrom(dataDir, { ...options, version: primary.version });
}

function harnessSettings(version: PostgresVersion): Record<string, string> {
  return {
    fsync: 'off',
    autovacuum: 'off',
    jit: 'off',
    huge_pages: 'off',
    shared_buffers: '16MB',
    max_connections: '20',
    max_wal_senders: '8',
    wal_level: 'replica',
    log_replication_commands: 'on',
    log_line_prefix: '%m [%p] ',
    ...(version >= 18 ? { io_method: 'sync' } : {}),
  };
}

function hbaFile(lines: readonly string[] | undefined): string {
  const trustAll = ['local all', 'local replication', 'host all', 'host replication'].map((start) =>
    start.startsWith('local') ? `${start} all trust` : `${start} all 127.0.0.1/32 trust`,
  );
  return ['local all postgres trust', ...(lines ?? trustAll), ''].join('\n');
}

function settingLines(settings: Readonly<Record<string, string>>): string {
  const lines = Object.entries(settings).map(([k, v]) => `${k} = '${v.replaceAll("'", "''")}'`);
  return `\n${lines.join('\n')}\n`;
}
