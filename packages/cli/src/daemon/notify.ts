import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Clock } from '@tsbk/core/ports/clock';

const run = promisify(execFile);

/** systemd takes a word at once; a helper that hangs must not pile up. */
const HELPER_MS = 5000;

interface NotifyOptions {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly pid: number;
  readonly clock: Clock;
  /** Hears once why systemd cannot be told. */
  readonly failed: (error: unknown) => void;
}

/** Tells systemd how the service is (sd_notify(3)). Every call is harmless without systemd. */
export interface Notifier {
  /** Resolves when it is told, or cannot be. */
  readonly tell: (...words: readonly string[]) => Promise<void>;
  /** How often a sign of life is due: half of what systemd waits. `undefined` if it wants none. */
  readonly watchdogMs: number | undefined;
  /** `CLOCK_MONOTONIC` as `RELOADING=1` wants it. */
  readonly monotonicWord: () => string;
}

/**
 * systemd's socket is a datagram socket, for which Node.js has no call, so `systemd-notify` does it,
 * which is there wherever systemd is. The unit needs `NotifyAccess=all`: the word comes from a child.
 */
export function createNotifier({ environment, pid, clock, failed }: NotifyOptions): Notifier {
  const socket = environment['NOTIFY_SOCKET'];
  let isBroken = false;
  return {
    tell: async (...words) => {
      if (socket === undefined || socket === '') return;
      try {
        await run('systemd-notify', ['--no-block', ...words], {
          env: { NOTIFY_SOCKET: socket, PATH: environment['PATH'] ?? '/usr/bin:/bin' },
          timeout: HELPER_MS,
        });
      } catch (error) {
        if (!isBroken) failed(error);
        isBroken = true;
      }
    },
    watchdogMs: watchdogMs(environment, pid),
    monotonicWord: () => `MONOTONIC_USEC=${Math.trunc(clock.monotonicMs() * 1000)}`,
  };
}

function watchdogMs(
  environment: Readonly<Record<string, string | undefined>>,
  pid: number,
): number | undefined {
  const { WATCHDOG_USEC: period, WATCHDOG_PID: meant, NOTIFY_SOCKET: socket } = environment;
  if (socket === undefined || period === undefined || !/^[1-9]\d*$/.test(period)) return undefined;
  if (meant !== undefined && meant !== String(pid)) return undefined;
  return Number(period) / 1000 / 2;
}
