import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { eventually } from '../support/eventually.ts';
import { serverUser } from '../support/postgres.ts';
import { installedTsbk } from '../support/tsbk.ts';
import { killAll, treeOf } from './processes.ts';

/** A `tsbk` process beside the server that is killed and started again. */
export interface Helper {
  /** Starts it unless it runs, and waits until it is ready or, told to fail, has ended. */
  start(env: Readonly<Record<string, string>>): Promise<void>;
  /** Of its launcher, and of the program. */
  pids(): readonly number[];
  stop(): Promise<void>;
}

/** `isReady` is asked with what it has said to standard error. */
export function helperOf(
  args: readonly string[],
  isReady: (said: string) => boolean | Promise<boolean>,
): Helper {
  let child: ChildProcess | undefined;
  const runs = (): boolean => child?.exitCode === null && child.signalCode === null;
  return {
    start: async (env) => {
      if (runs()) return;
      const started = spawn(installedTsbk().cli, [...args], {
        cwd: '/',
        env: { ...installedTsbk().env, ...env },
        stdio: ['ignore', 'ignore', 'pipe'],
        ...serverUser(),
      });
      child = started;
      let said = '';
      started.stderr.setEncoding('utf8').on('data', (text: string) => {
        said = (said + text).slice(-20_000);
      });
      await eventually(
        `the start of tsbk ${args.join(' ')}`,
        async () => {
          if (runs()) return (await isReady(said)) ? true : undefined;
          if (env['TSBK_FAILPOINT'] !== undefined) return true;
          throw new Error(`tsbk ${args.join(' ')} ended: ${said}`);
        },
        60_000,
      ).catch((error: unknown) => {
        // One that runs tries again for as long as the store is full or away; what it owes is judged later.
        if (!runs()) throw error;
      });
    },
    pids: () => (runs() ? treeOf(child?.pid ?? 0) : []),
    stop: async () => {
      if (child === undefined || !runs()) return;
      const ended = once(child, 'exit');
      await killAll(treeOf(child.pid ?? 0));
      await ended;
    },
  };
}
