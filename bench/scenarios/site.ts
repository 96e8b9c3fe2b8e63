import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { shellQuote } from '@tsbk/core/format/shell-quote';
import { archiveEverything } from '@tsbk/test/support/archiving-server';
import { giveToServerUser, scratchPath, type Server } from '@tsbk/test/support/postgres';
import { openTestStore } from '@tsbk/test/support/store';
import { putAway } from '../measure/put-away.ts';
import type { Flavour, Session, Site } from '../contenders/contender.ts';
import { childrenOf } from '../measure/process-tree.ts';
import {
  runMeasured,
  type Command,
  type Surroundings,
  type Usage,
} from '../measure/run-measured.ts';

/** What is the same for every measurement of a run. */
export interface Bench {
  readonly server: Server;
  readonly width: number;
  readonly timeoutMs: number;
}

/** What a site needs of a session: the rest is between the contender and the scenario. */
type Archiving = Pick<Session, 'prepare' | 'archivePush'>;

/** A contender at work in a fresh repository of its own, which goes when this is disposed of. */
export interface OpenSite<S extends Archiving = Session> extends AsyncDisposable {
  readonly site: Site;
  readonly session: S;
  readonly surroundings: Surroundings;
}

/** Makes a repository, prepares it, and has the server archive into it by the contender's command. */
export async function openSite<S extends Archiving>(
  bench: Bench,
  contender: { readonly id: string; readonly open: (site: Site) => S },
  flavour: Flavour,
): Promise<OpenSite<S>> {
  const before = new Set(childrenOf(process.pid));
  const repository = await openTestStore(flavour.store);
  const storePid = childrenOf(process.pid).find((pid) => !before.has(pid));
  // pgBackRest insists on an archive_command that has its name in it.
  const folder = scratchPath(`site-${contender.id}-`);
  mkdirSync(folder);
  const site = { ...flavour, server: bench.server, repository, folder, width: bench.width };
  const session = contender.open(site);
  const surroundings = { serverPid: bench.server.pid, storePid, timeoutMs: bench.timeoutMs };
  giveToServerUser(folder);
  try {
    if (session.prepare !== undefined) await runMeasured(session.prepare, surroundings);
    await archiveBy(bench.server, session.archivePush, folder);
  } catch (error) {
    await repository[Symbol.asyncDispose]();
    throw error;
  }
  return {
    site,
    session,
    surroundings,
    [Symbol.asyncDispose]: async () => {
      await archiveBy(bench.server, undefined, folder);
      await repository[Symbol.asyncDispose]();
      const directory = repository.env['WALG_FILE_PREFIX'];
      putAway(folder, directory ?? folder);
    },
  };
}

/** Measures after what earlier commands left dirty was written back, so that this one does not pay for it. */
export function runSettled(
  command: Command,
  { surroundings }: Pick<OpenSite, 'surroundings'>,
): Promise<Usage> {
  spawnSync('sync');
  return runMeasured(command, surroundings);
}

/** A script that runs the command with its environment and appends its arguments. */
export function writeScript(path: string, { program, args, env }: Command): string {
  const assignments = Object.entries(env).map(([name, value]) => `${name}=${shellQuote(value)}`);
  const words = [...assignments, program, ...args.map((arg) => shellQuote(arg))];
  writeFileSync(path, `#!/bin/sh\nexec env ${words.join(' ')} "$@"\n`);
  chmodSync(path, 0o755);
  return path;
}

/** Without a command the server takes its WAL for archived. */
async function archiveBy(
  server: Server,
  command: Command | undefined,
  folder: string,
): Promise<void> {
  const text =
    command === undefined ? '/bin/true' : `${writeScript(join(folder, 'archive'), command)} %p`;
  await server.query(`alter system set archive_command = '${text}'`);
  await server.query('select pg_reload_conf()');
  // Whatever the archiver had begun with the old command ends here.
  await archiveEverything(server);
}
