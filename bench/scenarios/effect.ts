import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { clientTool, giveToServerUser, scratchPath, serverUser } from '@tsbk/test/support/postgres';
import { connectionEnv, type Contender, type Flavour } from '../contenders/contender.ts';
import { runMeasured } from '../measure/run-measured.ts';
import type { Effect } from '../results.ts';
import { figuresWithin, type Span } from './pgbench-log.ts';
import { openSite, type Bench } from './site.ts';

const CLIENTS = 2;
const WARM_UP_MS = 2000;
const BEFORE_MS = 5000;

export interface EffectTask {
  readonly contender: Contender;
  readonly flavour: Flavour;
  readonly round: number;
}

/** How pgbench fares in the seconds before a backup, and while it runs. */
export async function measureEffect(bench: Bench, task: EffectTask): Promise<Effect> {
  const { contender, flavour, round } = task;
  const base = { contender: contender.id, round };
  try {
    await using open = await openSite(bench, contender, flavour);
    await using load = startLoad(bench);
    await sleep(WARM_UP_MS);
    const before = await spanOf(() => sleep(BEFORE_MS));
    const during = await spanOf(() => runMeasured(open.session.backup, open.surroundings));
    const log = await load.end();
    return { ...base, before: figuresWithin(log, before), during: figuresWithin(log, during) };
  } catch (error) {
    return { ...base, error: error instanceof Error ? error.message : String(error) };
  }
}

/** How to get the program that makes the load; `undefined` when it is there. */
export function loadIsAbsent(): string | undefined {
  return clientTool('pgbench') === undefined
    ? 'apt-get install postgresql (pgbench is in it)'
    : undefined;
}

interface Load extends AsyncDisposable {
  /** Ends the load and gives its log. */
  readonly end: () => Promise<string>;
}

function startLoad({ server, timeoutMs }: Bench): Load {
  const folder = scratchPath('pgbench');
  mkdirSync(folder);
  giveToServerUser(folder);
  const args = [
    '--no-vacuum',
    '--protocol=prepared',
    `--client=${CLIENTS}`,
    `--time=${Math.ceil(timeoutMs / 1000)}`,
    '--log',
    'postgres',
  ];
  const child = spawn(clientTool('pgbench') ?? '', args, {
    cwd: folder,
    env: connectionEnv(server),
    stdio: ['ignore', 'ignore', 'pipe'],
    ...serverUser(),
  });
  const complaints = text(child.stderr);
  const exit = once(child, 'exit');
  // Whoever asks for the log hears of it.
  exit.catch(() => undefined);
  return {
    end: async () => {
      // What its own --time ends it with: transactions under way are finished and the log is whole.
      child.kill('SIGALRM');
      const [code] = (await exit) as [number | null];
      if (code !== 0) throw new Error(`pgbench failed: ${await complaints}`);
      const logs = readdirSync(folder).filter((name) => name.startsWith('pgbench_log.'));
      return logs.map((name) => readFileSync(join(folder, name), 'latin1')).join('');
    },
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL');
        await exit;
      }
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function spanOf(work: () => Promise<unknown>): Promise<Span> {
  const fromMs = Date.now();
  await work();
  return { fromMs, toMs: Date.now() };
}
