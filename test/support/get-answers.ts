import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { giveToServerUser } from './postgres.ts';
import type { TsbkRun } from './tsbk.ts';
import { getWal, serverFolder } from './wal-commands.ts';

/** Something like a data directory, in which a server would run `restore_command`. */
export interface AskingCluster {
  readonly directory: string;
  /** `%p`: relative to the directory. */
  readonly destination: string;
  /** What lies where the file is wanted, complete or not. */
  written(): string[];
}

export function askingCluster(kind: 'recovery' | 'standby' = 'recovery'): AskingCluster {
  const directory = serverFolder('data');
  const wal = join(directory, 'pg_wal');
  mkdirSync(wal);
  writeFileSync(join(directory, `${kind}.signal`), '');
  giveToServerUser(directory);
  return {
    directory,
    destination: 'pg_wal/RECOVERYXLOG',
    written: () => readdirSync(wal).filter((name) => name !== 'tsbk_restore.json'),
  };
}

/** `tsbk-archive-get` as the cluster's server would run it. */
export function askFor(
  name: string,
  at: AskingCluster,
  env: Readonly<Record<string, string>>,
): Promise<TsbkRun> {
  return getWal([name, at.destination], env, { cwd: at.directory });
}

type Run = (at: AskingCluster) => Promise<TsbkRun>;

/** Asserts "cannot know" in a recovery: 200, with nothing left behind. */
export async function stopsRecovery(message: RegExp, run: Run): Promise<void> {
  await expectCode(200, askingCluster('recovery'), { message, run });
}

/** The same, and 75 where a standby asks. */
export async function cannotKnow(message: RegExp, run: Run): Promise<void> {
  await stopsRecovery(message, run);
  await expectCode(75, askingCluster('standby'), { message, run });
}

async function expectCode(
  code: number,
  at: AskingCluster,
  { message, run }: { readonly message: RegExp; readonly run: Run },
): Promise<void> {
  const answer = await run(at);
  assert.equal(answer.signal, null);
  assert.equal(answer.code, code, answer.stderr);
  assert.match(answer.stderr, message);
  assert.deepEqual(at.written(), []);
}
