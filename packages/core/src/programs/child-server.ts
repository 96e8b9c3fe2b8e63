import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf, TsbkError } from '../kernel/errors.ts';
import type { SystemUser } from './run-as.ts';

export interface ChildServerOptions {
  /** The program and its arguments. */
  readonly command: readonly [string, ...string[]];
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Who it runs as; this process's user if absent. */
  readonly user: SystemUser | undefined;
  /** Where its output goes. */
  readonly logFile: string;
}

/** A server that does not outlive this process, however this one ends. */
export interface ChildServer extends AsyncDisposable {
  /** Throws `extract-failed`, with the end of the log, when the server has ended by itself. */
  requireAlive(): Promise<void>;
  /** Ends it at once, as a crash would. */
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Waits until its standard input ends, which it does when this process ends, killed or not, and
 * stops the server then; ends when the server does. It says so again and again, because the shell has
 * the signal ignored until the server has set itself up. In a session of its own, because a Ctrl-C is for
 * tsbk to act on.
 */
const SUPERVISE = `
exec 3<&0
"$@" 3<&- </dev/null &
server=$!
{ read -r _ <&3; while kill -QUIT "$server"; do sleep 1; done; } 2>/dev/null &
watch=$!
exec 3<&-
wait "$server"
code=$?
kill "$watch" 2>/dev/null
exit "$code"`;

const STOP_MS = 30_000;
const LOG_TAIL_BYTES = 4096;

/** Starts a server. What kept it from starting shows in `requireAlive`. */
export function startChildServer(options: ChildServerOptions): ChildServer {
  const { command, environment, user, logFile } = options;
  const log = openSync(logFile, 'a', 0o600);
  const child = spawn('/bin/sh', ['-c', SUPERVISE, 'sh', ...command], {
    env: { ...environment },
    stdio: ['pipe', log, log],
    detached: true,
    cwd: '/',
    ...user,
  });
  closeSync(log);
  // Who writes to it is told by its end.
  child.stdin?.on('error', () => undefined);
  let ended: string | undefined;
  const end = new Promise<void>((resolve) => {
    child.once('error', (error) => {
      ended = messageOf(error);
      resolve();
    });
    child.once('exit', (code, signal) => {
      ended = signal === null ? `exit code ${code}` : `signal ${signal}`;
      resolve();
    });
  });
  return {
    requireAlive: async () => {
      if (ended === undefined) return;
      throw new TsbkError(
        'extract-failed',
        `the server ended, ${ended}: ${await tailOf(logFile)}`,
        {
          hint: 'The lines are the end of its log.',
        },
      );
    },
    [Symbol.asyncDispose]: () => stop(child, end),
  };
}

async function stop(child: ChildProcess, end: Promise<void>): Promise<void> {
  child.stdin?.end();
  const late = new AbortController();
  const timeUp = sleep(STOP_MS, 'late', { signal: late.signal }).catch(() => undefined);
  if ((await Promise.race([end, timeUp])) === 'late' && child.pid !== undefined) {
    // The whole session: server and supervisor.
    process.kill(-child.pid, 'SIGKILL');
    await end;
  }
  late.abort();
}

async function tailOf(path: string): Promise<string> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const bytes = Buffer.alloc(Math.min(size, LOG_TAIL_BYTES));
    await file.read(bytes, 0, bytes.length, size - bytes.length);
    return bytes.toString('utf8').trim();
  } finally {
    await file.close();
  }
}
