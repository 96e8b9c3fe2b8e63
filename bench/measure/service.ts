import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { serverUser } from '@tsbk/test/support/postgres';
import type { Command } from './run-measured.ts';

/** A process that runs beside the commands; what it uses is counted with them. */
export interface Service extends Command {
  /** It is ready when this exists. */
  readonly socket: string;
}

export interface RunningService extends AsyncDisposable {
  readonly pid: number | undefined;
}

const READY_TRIES = 200;
const READY_PAUSE_MS = 50;
const STOP_MS = 10_000;

/** Starts a service as the server's user and waits until it is ready; nothing if there is none. */
export async function startService(
  service: Service | undefined,
): Promise<RunningService | undefined> {
  if (service === undefined) return undefined;
  const { program, args, env, socket } = service;
  const child = spawn(program, args, {
    cwd: '/',
    env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', HOME: '/nonexistent', ...env },
    stdio: 'ignore',
    ...serverUser(),
  });
  const exit = once(child, 'exit');
  for (let tries = 0; !existsSync(socket); tries += 1) {
    if (tries === READY_TRIES || child.exitCode !== null) {
      child.kill('SIGKILL');
      throw new Error(`${program} ${args.join(' ')} did not get ready`);
    }
    await sleep(READY_PAUSE_MS);
  }
  return {
    pid: child.pid,
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
      await exit;
      clearTimeout(timer);
    },
  };
}
