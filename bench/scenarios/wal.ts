import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { giveToServerUser, scratchPath } from '@tsbk/test/support/postgres';
import type { Contender, Flavour } from '../contenders/contender.ts';
import type { Command } from '../measure/run-measured.ts';
import type { Measurement } from '../results.ts';
import { openSite, runSettled, type Bench } from './site.ts';

export interface WalTask {
  readonly contender: Contender;
  readonly flavour: Flavour;
  readonly round: number;
  /** Consecutive segments. */
  readonly segments: readonly string[];
  readonly record: (measurement: Measurement) => void;
}

/**
 * Stores segments and brings them back, one command a segment and one after the other, as
 * PostgreSQL does it. What comes back is compared byte by byte.
 */
export async function pushAndFetchWal(bench: Bench, task: WalTask): Promise<void> {
  const { contender, flavour, round, segments, record } = task;
  const { store, encrypted } = flavour;
  const base = { store, encrypted, contender: contender.id, round, segments: segments.length };
  let scenario: 'wal-push' | 'wal-fetch' = 'wal-push';
  const folder = scratchPath('fetched');
  try {
    await using open = await openSite(bench, contender, flavour);
    const { archivePush, archiveGet } = open.session;
    if (archivePush === undefined || archiveGet === undefined) return;
    const push = await runSettled(forEach(archivePush, '"$@" "$each"', segments), open);
    record({ ...base, scenario, usage: push });
    scenario = 'wal-fetch';
    mkdirSync(folder);
    giveToServerUser(folder);
    const target = join(folder, 'RECOVERYXLOG');
    const get = `"$@" "\${each##*/}" ${target} && mv ${target} "${folder}/\${each##*/}"`;
    const fetch = await runSettled(forEach(archiveGet, get, segments), open);
    for (const segment of segments) mustEqual(segment, join(folder, basename(segment)));
    record({ ...base, scenario, usage: fetch, verified: 'same' });
  } catch (error) {
    record({ ...base, scenario, error: error instanceof Error ? error.message : String(error) });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Runs `work`, shell text in which `"$@"` is the command and `$each` a path, for each path. */
function forEach({ program, args, env }: Command, work: string, paths: readonly string[]): Command {
  const names = paths.map((path) => basename(path)).join(' ');
  const script = `for name in ${names}; do each="$0/$name"; ${work} || exit; done`;
  const folder = dirname(paths[0] ?? '/');
  return { program: '/bin/bash', args: ['-c', script, folder, program, ...args], env };
}

function mustEqual(expected: string, actual: string): void {
  if (!readFileSync(expected).equals(readFileSync(actual))) {
    throw new Error(`${basename(expected)} came back with other content`);
  }
}
