import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { serverProgram, type PostgresVersion } from './installation.ts';
import { atExit } from './scratch.ts';
import { serverUser } from './server-user.ts';

export interface PostmasterOptions {
  readonly version: PostgresVersion;
  readonly dataDir: string;
  readonly logFile: string;
  /** Settings given as `-c name=value`: they win over every configuration file. */
  readonly settings: Readonly<Record<string, string>>;
  readonly env: Readonly<Record<string, string>>;
}

export type StopMode = 'smart' | 'fast' | 'immediate' | 'kill';

const STOP_SIGNALS = {
  smart: 'SIGTERM',
  fast: 'SIGINT',
  immediate: 'SIGQUIT',
  kill: 'SIGKILL',
} as const;

/** A server process, from spawn to exit. */
export interface Postmaster {
  readonly pid: number;
  /** Exit code or signal once it is gone; `undefined` while it runs. */
  readonly ended: () => string | undefined;
  /** Sends the signal of this mode and waits until the process is gone. */
  readonly stop: (mode: StopMode) => Promise<void>;
}

const running = new Set<ChildProcess>();
let armed = false;

/** Starts `postgres`, its output going to the log file. Does not wait until it is ready. */
export async function launchPostmaster(options: PostmasterOptions): Promise<Postmaster> {
  const log = openSync(options.logFile, 'a');
  const settings = Object.entries(options.settings).flatMap(([k, v]) => ['-c', `${k}=${v}`]);
  const program = serverProgram(options.version, 'postgres');
  const child = spawn(program, ['-D', options.dataDir, ...settings], {
    ...serverUser(),
    cwd: '/',
    stdio: ['ignore', log, log],
    env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC', ...options.env },
  });
  closeSync(log);
  await once(child, 'spawn');
  const { pid } = child;
  if (pid === undefined) throw new Error('postgres was not started');
  if (!armed) atExit(endAll);
  armed = true;
  running.add(child);
  child.once('exit', () => running.delete(child));
  // A server a test forgot must not keep the test process alive; it is ended at exit.
  child.unref();
  return {
    pid,
    ended: () => (child.exitCode ?? child.signalCode)?.toString(),
    stop: (mode) => stop(child, mode),
  };
}

async function stop(child: ChildProcess, mode: StopMode): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.ref();
  const exit = once(child, 'exit');
  child.kill(STOP_SIGNALS[mode]);
  const stopped = await Promise.race([exit.then(() => true), sleep(30_000, false, { ref: false })]);
  if (stopped) return;
  child.kill('SIGQUIT');
  await exit;
}

/** At exit there is no event loop left to wait with: look at the process table instead. */
function endAll(): void {
  for (const child of running) child.kill('SIGQUIT');
  const nap = new Int32Array(new SharedArrayBuffer(4));
  for (let turn = 0; turn < 100 && [...running].some(isAlive); turn += 1) {
    Atomics.wait(nap, 0, 0, 50);
  }
}

function isAlive(child: ChildProcess): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${child.pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** A TCP port nobody listens on at this moment. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no TCP port');
  return address.port;
}

/** The last lines of a log file, for messages. */
export function logTail(logFile: string, lines = 25): string {
  return readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
}
