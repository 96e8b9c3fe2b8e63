import { constants } from 'node:os';
import { isTsbkError } from '@tsbk/core/kernel/errors';
import { exitCodeOf } from '@tsbk/core/kernel/exit';

/** The exit code of a process that a signal stopped, as shells give it: 130 after SIGINT. */
export function signalExit(name: NodeJS.Signals): number {
  return 128 + constants.signals[name];
}

/**
 * The exit code of a command that failed. What PostgreSQL starts has answers of its own: see the
 * launchers.
 */
export function exitCodeFor(error: unknown, stoppedBy: NodeJS.Signals | undefined): number {
  if (stoppedBy !== undefined && isTsbkError(error, 'interrupted')) return signalExit(stoppedBy);
  return exitCodeOf(error);
}
