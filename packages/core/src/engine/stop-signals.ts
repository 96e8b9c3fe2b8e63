import { TsbkError } from '../kernel/errors.ts';

/** The part of `process` that this needs. */
export interface SignalEmitter {
  on(name: NodeJS.Signals, listener: () => void): unknown;
  removeListener(name: NodeJS.Signals, listener: () => void): unknown;
}

export interface StopSignals {
  /** Aborts at the first signal. */
  readonly signal: AbortSignal;
  /** The first signal, once there was one. */
  readonly stoppedBy: () => NodeJS.Signals | undefined;
  /** From now on this signal calls `listener` and asks for nothing else, ignored or not. */
  readonly divert: (name: NodeJS.Signals, listener: () => void) => void;
  readonly dispose: () => void;
}

interface StopOptions {
  /** Signals that shall do nothing. */
  readonly ignored?: readonly NodeJS.Signals[];
  readonly nowMs?: () => number;
}

/**
 * The signals that were ignored when the launcher began: by `nohup`, or by a shell that runs a
 * command in the background. `mask` is a hexadecimal digit, HUP its lowest bit, then INT and QUIT.
 */
export function ignoredSignals(mask: string | undefined): readonly NodeJS.Signals[] {
  const bits = Number.parseInt(mask ?? '0', 16);
  return (['SIGHUP', 'SIGINT', 'SIGQUIT'] as const).filter((_, bit) => (bits & (1 << bit)) !== 0);
}

const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;

/**
 * PostgreSQL and terminals signal the whole process group, and the launcher in it forwards what it
 * gets: one request to stop arrives twice. Only after this long another signal is another request.
 */
const SAME_REQUEST_MS = 1000;

/**
 * Turns the signals that ask a process to stop into one abort with the reason `interrupted`. The
 * server's own signals are among them: SIGTERM for a command that runs while the startup process
 * stops, SIGQUIT after a crash of a backend. A second request calls `again`, for those who do not
 * want to wait for the clean-up.
 */
export function stopSignals(
  emitter: SignalEmitter,
  again: (name: NodeJS.Signals) => void,
  { ignored = [], nowMs = () => performance.now() }: StopOptions = {},
): StopSignals {
  const controller = new AbortController();
  let firstMs: number | undefined;
  let first: NodeJS.Signals | undefined;
  const diverted = new Map<NodeJS.Signals, () => void>();
  const listeners = STOP_SIGNALS.map((name) => {
    const listener = (): void => {
      const other = diverted.get(name);
      if (other !== undefined) return other();
      if (ignored.includes(name)) return;
      firstMs ??= nowMs();
      first ??= name;
      if (nowMs() - firstMs >= SAME_REQUEST_MS) again(name);
      controller.abort(new TsbkError('interrupted', `stopped by ${name}`));
    };
    emitter.on(name, listener);
    return { name, listener };
  });
  return {
    signal: controller.signal,
    stoppedBy: () => first,
    divert: (name, listener) => void diverted.set(name, listener),
    dispose: () => {
      for (const { name, listener } of listeners) emitter.removeListener(name, listener);
    },
  };
}
