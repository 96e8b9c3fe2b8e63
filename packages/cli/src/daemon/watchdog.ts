import { stat } from 'node:fs/promises';
import type { Notifier } from './notify.ts';

/**
 * Tells systemd that the daemon lives, at half of the time that systemd waits. That the timer runs
 * shows that the event loop turns, and looking at the data directory that the threads which do all file
 * access are not stuck, every one of them, on a file system that hangs.
 */
export function keepWatch(notifier: Notifier, dataDir: string): Disposable {
  const { watchdogMs } = notifier;
  if (watchdogMs === undefined) return { [Symbol.dispose]: () => {} };
  let isTelling = false;
  const tell = async (): Promise<void> => {
    if (isTelling) return;
    isTelling = true;
    // A directory that is gone is no reason to be restarted.
    await stat(dataDir).catch(() => undefined);
    await notifier.tell('WATCHDOG=1');
    isTelling = false;
  };
  const timer = setInterval(() => void tell(), watchdogMs);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
