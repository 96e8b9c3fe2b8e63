import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { eventually } from '../support/eventually.ts';
import {
  scratchPath,
  scratchPathForServerUser,
  startFrom,
  type PostgresVersion,
  type Server,
} from '../support/postgres.ts';
import { installedTsbk, runTsbk } from '../support/tsbk.ts';

/** Where and by what a restore gets what it needs. */
export interface RestoreSite {
  readonly version: PostgresVersion;
  /** Settings of the repository and of the way. */
  readonly env: Readonly<Record<string, string>>;
  /** Shell text that fetches the file with the name `$1` to `$2`. */
  readonly get: string;
}

/**
 * A server that was restored from the repository and follows it, having nothing else. It is what a
 * restore after each round would be, without beginning each time with the base backup. Between the
 * rounds it is told that there is no more.
 */
export interface Follower extends AsyncDisposable {
  readonly server: Server;
  /**
   * Lets it fetch, until `look` finds all that it should have, and gives what it returns. A server that
   * goes down meanwhile is started again; an assertion that fails is passed on.
   */
  catchUp<T>(look: (server: Server) => Promise<T | undefined>): Promise<T>;
}

/** A dozen fetches on a busy machine, and what breaks them. */
const CATCH_UP_MS = 60_000;

export async function startFollower(site: RestoreSite): Promise<Follower> {
  const directory = await fetchBackup(site, ['--standby']);
  const gate = scratchPath('gate');
  const script = scratchPath('get.sh');
  writeFileSync(script, `#!/bin/sh\n[ -e ${gate} ] || exit 1\n${site.get}\n`, { mode: 0o755 });
  const settings = {
    restore_command: `${script} %f %p`,
    wal_retrieve_retry_interval: '100ms',
    hot_standby: 'on',
    fsync: 'off',
    shared_buffers: '16MB',
  };
  const env = { ...installedTsbk().env, ...site.env };
  writeFileSync(gate, '');
  const server = await startFrom(directory, { version: site.version, settings, env });
  rmSync(gate);
  return {
    server,
    catchUp: async (look) => {
      writeFileSync(gate, '');
      try {
        return await eventually(
          'the restored server to have all that was acknowledged',
          () => lookOrRestart(server, look),
          CATCH_UP_MS,
        );
      } finally {
        rmSync(gate, { force: true });
      }
    },
    [Symbol.asyncDispose]: () => server.close(),
  };
}

/** Restores to the end of what the repository has, and opens the database. */
export async function restoreToEnd(site: RestoreSite): Promise<Server> {
  const directory = await fetchBackup(site, []);
  return await startFrom(directory, {
    version: site.version,
    waitFor: 'end-of-recovery',
    settings: { fsync: 'off' },
    env: { ...installedTsbk().env, ...site.env },
  });
}

async function fetchBackup(site: RestoreSite, args: readonly string[]): Promise<string> {
  const directory = scratchPathForServerUser('restored');
  const run = await runTsbk(['backup-fetch', directory, 'LATEST', ...args], { env: site.env });
  assert.equal(run.code, 0, run.stderr);
  return directory;
}

/** A fetch that dies by a signal ends a standby, and so does much else that is broken on purpose. */
async function lookOrRestart<T>(
  server: Server,
  look: (server: Server) => Promise<T | undefined>,
): Promise<T | undefined> {
  try {
    return await look(server);
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error;
    await server.stop('immediate');
    await server.start();
    return undefined;
  }
}
