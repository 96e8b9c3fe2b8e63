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

/** What `backup-push --json` answers. */
export interface PushedBackup {
  readonly name: string;
  readonly startLsn: string;
  readonly stopLsn: string;
  readonly parts: number;
  readonly files: number;
  readonly plainBytes: number;
  readonly storedBytes: number;
}

export interface RestoreOptions {
  /** Arguments of `backup-fetch` after the destination; `LATEST` if absent. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Looks at the directory before a server has touched it. */
  readonly beforeStart?: (directory: string) => Promise<void>;
  /** For the restored server. */
  readonly start?: Partial<StartFromOptions>;
}

export interface Restored extends AsyncDisposable {
  readonly server: Server;
  readonly directory: string;
  readonly run: TsbkRun;
}

/** A server that archives into a directory, and `tsbk` as it is used beside it. */
export interface BackupSite extends AsyncDisposable {
  readonly server: Server;
  /** The repository's directory. */
  readonly root: string;
  /** Settings of the repository and the connection to `server`. */
  readonly env: Readonly<Record<string, string>>;
  /** Runs `tsbk` with the site's settings, those given last. */
  tsbk(args: readonly string[], options?: TsbkOptions): Promise<TsbkRun>;
  /** A backup that must succeed. */
  push(args?: readonly string[], options?: TsbkOptions): Promise<PushedBackup & { run: TsbkRun }>;
  /** Names of the backups, as `backup-list --json` gives them without a word on stderr. */
  list(): Promise<string[]>;
  /** Restores, and starts a server that recovers to the end of its target. */
  restore(options?: RestoreOptions): Promise<Restored>;
}

/** Starts a server and a repository for it; `settings` goes to the server and to the commands. */
export async function openBackupSite(
  options: Omit<PostgresOptions, 'archiveCommand'> & {
    /** Further settings of the commands, for those the server runs too. */
    readonly tsbkEnv?: Readonly<Record<string, string>>;
  },
): Promise<BackupSite> {
  const { tsbkEnv = {}, ...postgres } = options;
  const store = await openTestStore('directory');
  const settings = { ...store.env, ...tsbkEnv };
  const server = await startArchivingServer({ ...store, env: settings }, postgres);
  return siteOf(server, settings);
}

/** The site of a server and a repository that are there. */
export function siteOf(server: Server, settings: Readonly<Record<string, string>>): BackupSite {
  const root = settings['WALG_FILE_PREFIX'] ?? '';
  const env = { ...settings, ...connectionEnv(server) };
  const tsbk = (args: readonly string[], { env: extra, ...rest }: TsbkOptions = {}) =>
    runTsbk(args, { ...rest, env: { ...env, ...extra } });
  return {
    server,
    root,
    env,
    tsbk,
    push: async (args = [], pushOptions = {}) => {
      const run = await tsbk(['backup-push', '--json', ...args], pushOptions);
      assert.equal(run.code, 0, run.stderr);
      return { ...(JSON.parse(run.stdout) as PushedBackup), run };
    },
    list: async () => {
      const run = await tsbk(['backup-list', '--json']);
      assert.equal(run.code, 0, run.stderr);
      assert.equal(run.stderr, '');
      const backups = JSON.parse(run.stdout) as { backup_name: string }[];
      return backups.map(({ backup_name: name }) => name);
    },
    restore: async ({ args = ['LATEST'], env: extra = {}, start = {}, beforeStart } = {}) => {
      const directory = scratchPathForServerUser('restored');
      const run = await tsbk(['backup-fetch', directory, ...args], { env: extra });
      assert.equal(run.code, 0, run.stderr);
      await beforeStart?.(directory);
      const restored = await startFrom(directory, {
        version: server.version,
        waitFor: 'end-of-recovery',
        env: { ...installedTsbk().env, ...settings, ...extra },
        ...start,
      });
      return {
        server: restored,
        directory,
        run,
        [Symbol.asyncDispose]: () => restored.close(),
      };
    },
    [Symbol.asyncDispose]: () => server.close(),
  };
}
