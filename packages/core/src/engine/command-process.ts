import { EXIT } from '../kernel/exit.ts';
import { leaveNow } from './leave.ts';
import { parentOfProcess, watchParent } from './parent-watch.ts';
import { stopSignals } from './stop-signals.ts';

/**
 * What a command that PostgreSQL starts runs under: its signal aborts when it is asked to stop, and
 * when a process that waits for its answer is gone.
 */
export interface CommandProcess extends Disposable {
  readonly signal: AbortSignal;
}

/** Takes over the signals; a second one ends the process at once, with `stoppedExit`. */
export function commandProcess(stoppedExit: number): CommandProcess {
  const stop = stopSignals(process, () => leaveNow(stoppedExit));
  const parent = watchParent(process.pid, parentOfProcess);
  return {
    signal: AbortSignal.any([stop.signal, parent.signal]),
    [Symbol.dispose]: () => {
      parent.dispose();
      stop.dispose();
    },
  };
}

/** Exit code until a command has said otherwise: a drained event loop must never look like success. */
export const UNFINISHED = EXIT.internal;

/** How long a command may clean up once it is told to stop. */
export const GRACE_MS = 5000;
