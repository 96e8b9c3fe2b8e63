import { EXIT } from '../kernel/exit.ts';
import { processExists, watchParent } from './parent-watch.ts';
import { stopSignals } from './stop-signals.ts';

/** What a command that PostgreSQL starts runs under. */
export interface CommandProcess extends Disposable {
  /** The arguments without the launcher's own. */
  readonly args: readonly string[];
  /** Aborts on a signal, and when the process that waits for the answer is gone. */
  readonly signal: AbortSignal;
}

/**
 * Takes over signals and the launcher's first argument, `--parent-pid=N`: the process that waits for
 * the answer. A second signal ends the process at once, with `stoppedExit`.
 */
export function commandProcess(args: readonly string[], stoppedExit: number): CommandProcess {
  const pid = /^--parent-pid=(\d+)$/.exec(args[0] ?? '')?.[1];
  const stop = stopSignals(process, () => process.exit(stoppedExit));
  const parent = pid === undefined ? undefined : watchParent(Number(pid), processExists);
  return {
    args: pid === undefined ? args : args.slice(1),
    signal: parent === undefined ? stop.signal : AbortSignal.any([stop.signal, parent.signal]),
    [Symbol.dispose]: () => {
      parent?.dispose();
      stop.dispose();
    },
  };
}

/** Exit code until a command has said otherwise: a drained event loop must never look like success. */
export const UNFINISHED = EXIT.internal;
