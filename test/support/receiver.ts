import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseLsn, type Lsn } from '@tsbk/core/kernel/lsn';
import { connectionEnv } from './archiving-server.ts';
import { eventually } from './eventually.ts';
import type { Server } from './postgres.ts';
import type { TestStore } from './store.ts';
import { runTsbk, type TsbkRun } from './tsbk.ts';
import { serverFolder } from './wal-commands.ts';

/** What `receive.json` says. */
export interface ReceiverStatus {
  readonly slot: string | null;
  readonly timeline: number | null;
  readonly flushLsn: string | null;
  readonly lastError: string | null;
  readonly missing: readonly string[];
}

/** A `tsbk wal-receive` that runs. */
export interface Receiver extends AsyncDisposable {
  readonly pid: number;
  /** What it has said so far. */
  stderr(): string;
  status(): Promise<ReceiverStatus | undefined>;
  /** Resolves when it says that everything before an LSN is durable. */
  flushed(lsn: Lsn): Promise<void>;
  /** Resolves when it has said something. */
  said(text: string | RegExp): Promise<void>;
  /** Resolves when it has ended. */
  readonly ended: Promise<TsbkRun>;
  /** Sends a signal and waits for the end; SIGTERM if absent. */
  stop(signal?: NodeJS.Signals): Promise<TsbkRun>;
}

interface ReceiverOptions {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Where the status goes; the same one for receivers that follow on each other, if that matters. */
  readonly state?: string;
}

/** Starts one; resolves when the process runs. */
export async function startReceiver(
  server: Server,
  store: Pick<TestStore, 'env'>,
  { args = ['--create-slot'], env = {}, state = serverFolder('state') }: ReceiverOptions = {},
): Promise<Receiver> {
  let stderr = '';
  let pid = 0;
  let ended = false;
  const settings = { TSBK_STATE_DIRECTORY: state, ...store.env, ...connectionEnv(server), ...env };
  const run = runTsbk(['wal-receive', ...args], {
    env: settings,
    onStart: (started) => (pid = started),
    onStderr: (text) => (stderr += text),
  }).finally(() => (ended = true));
  const status = async (): Promise<ReceiverStatus | undefined> => {
    const text = await readFile(join(state, 'receive.json'), 'utf8').catch(() => undefined);
    return text === undefined ? undefined : (JSON.parse(text) as ReceiverStatus);
  };
  const still = (): void => {
    if (ended) throw new Error(`wal-receive has ended:\n${stderr}`);
  };
  const stop = async (signal: NodeJS.Signals = 'SIGTERM'): Promise<TsbkRun> => {
    if (!ended) process.kill(pid, signal);
    return await run;
  };
  return {
    pid,
    ended: run,
    stderr: () => stderr,
    status,
    said: async (text) => {
      await eventually(`"${String(text)}"`, async () => {
        if (stderr.search(text) >= 0) return true;
        still();
        return undefined;
      }).catch((error: unknown) => {
        throw new Error(`${String(error)}\n${stderr}`);
      });
    },
    flushed: async (lsn) => {
      await eventually(`everything up to ${lsn} is durable`, async () => {
        const flushed = parseLsn((await status())?.flushLsn ?? '');
        if (flushed !== undefined && flushed >= lsn) return true;
        still();
        return undefined;
      }).catch(async (error: unknown) => {
        throw new Error(`${String(error)}\n${JSON.stringify(await status())}\n${stderr}`);
      });
    },
    stop,
    [Symbol.asyncDispose]: async () => {
      await stop('SIGKILL');
    },
  };
}
