import assert from 'node:assert/strict';
import { connectionEnv, startArchivingServer } from './archiving-server.ts';
import {
  scratchPathForServerUser,
  startFrom,
  type PostgresOptions,
  type Server,
  type StartFromOptions,
} from './postgres.ts';
import { openTestStore } from './store.ts';
import { installedTsbk, runTsbk, type TsbkOptions, type TsbkRun } from './tsbk.ts';

type Environment = Readonly<Record<string, string>>;

/** What `backup-push --json` answers. */
export interface PushedBackup {
  readonly name: string;
  readonly startLsn: string;
  readonly stopLsn: string;
  readonly timeline: number;
  readonly plainBytes: number;
  readonly storedBytes: number;
  readonly files: number;
  readonly parts: number;
  /** Where a delta stands; absent for a full backup. */
  readonly delta?: {
    readonly parent: string;
    readonly full: string;
    readonly count: number;
    readonly source: string;
  };
  readonly reason: string;
}

/** A server, the repository it archives into, and `tsbk` as it is used beside them. */
export interface BackupSite extends AsyncDisposable {
  readonly server: Server;
  /** The repository's directory. */
  readonly root: string;
  /** Settings of the repository and the connection to the server. */
  readonly env: Environment;
  /** Runs `tsbk` with the site's settings and those given. */
  tsbk(args: readonly string[], options?: TsbkOptions): Promise<TsbkRun>;
  /** Takes a backup, which must succeed. */
  push(args?: readonly string[], options?: TsbkOptions): Promise<PushedBackup & { run: TsbkRun }>;
  /** Names of the backups. Nothing may be wrong with any. */
  list(): Promise<string[]>;
  /** Restores, which must succeed, and waits until a server on it has recovered. */
  restore(options?: RestoreOptions): Promise<RestoredServer>;
}

export interface RestoreOptions {
  /** Arguments of `backup-fetch` after the directory; `LATEST` if absent. */
  readonly args?: readonly string[];
  /** Settings for `tsbk` and the restored server's `restore_command`. */
  readonly env?: Environment;
  /** Looks at the directory before a server has touched it. */
  readonly inspect?: (directory: string) => Promise<void>;
  readonly start?: Partial<StartFromOptions>;
}

export interface RestoredServer extends AsyncDisposable {
  readonly server: Server;
  readonly directory: string;
  readonly run: TsbkRun;
}

export type SiteOptions = Omit<PostgresOptions, 'archiveCommand'> & {
  /** Settings of tsbk, for the server's `archive_command` as for those who run it by hand. */
  readonly tsbkEnv?: Environment;
};

/** Starts a server that archives through `tsbk-archive-push` into a directory of its own. */
export async function openBackupSite({ tsbkEnv, ...options }: SiteOptions): Promise<BackupSite> {
  const store = await openTestStore('directory');
  const settings = { ...store.env, ...tsbkEnv };
  const server = await startArchivingServer({ ...store, env: settings }, options);
  return siteOf(server, settings);
}

/** The site of a server that runs and of a repository in a directory (`WALG_FILE_PREFIX`). */
export function siteOf(server: Server, settings: Environment): BackupSite {
  const env = { ...settings, ...connectionEnv(server) };
  const tsbk: BackupSite['tsbk'] = (args, options = {}) =>
    runTsbk(args, { ...options, env: { ...env, ...options.env } });
  return {
    server,
    root: settings['WALG_FILE_PREFIX'] ?? '',
    env,
    tsbk,
    push: async (args = [], options = {}) => {
      const run = await tsbk(['backup-push', '--json', ...args], options);
      assert.equal(run.code, 0, run.stderr);
      return { ...(JSON.parse(run.stdout) as PushedBackup), run };
    },
    list: async () => {
      const run = await tsbk(['backup-list', '--json']);
      assert.equal(run.code, 0, run.stderr);
      assert.equal(run.stderr, '');
      return (JSON.parse(run.stdout) as { backup_name: string }[]).map((b) => b.backup_name);
    },
    restore: (options = {}) => restore({ server, settings, tsbk }, options),
    [Symbol.asyncDispose]: () => server.close(),
  };
}

async function restore(
  site: { readonly settings: Environment } & Pick<BackupSite, 'server' | 'tsbk'>,
  { args = ['LATEST'], env = {}, inspect, start }: RestoreOptions,
): Promise<RestoredServer> {
  const directory = scratchPathForServerUser('restored');
  const run = await site.tsbk(['backup-fetch', directory, ...args], { env });
  assert.equal(run.code, 0, run.stderr);
  await inspect?.(directory);
  const server = await startFrom(directory, {
    version: site.server.version,
    waitFor: 'end-of-recovery',
    env: { ...installedTsbk().env, ...site.settings, ...env },
    ...start,
  });
  return { server, directory, run, [Symbol.asyncDispose]: () => server.close() };
}
