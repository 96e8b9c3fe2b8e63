import { readFileSync } from 'node:fs';
import { TsbkError } from '../kernel/errors.ts';

const LOOK_EVERY_MS = 500;

/** Launcher, shell, and the server's process: as far up as the answer goes. */
const GENERATIONS = 3;

/**
 * Aborts when one of the processes that wait for this command's answer is gone: an archiver or
 * startup process that died leaves its command running, beside the one that its successor starts.
 * The result of an orphan is nobody's answer, so it stops. What is looked at is whose child each
 * of them is: a shell in between outlives the server's process, and process ids are used again.
 */
export function watchParent(
  pid: number,
  parentOf: (pid: number) => number | undefined,
): { readonly signal: AbortSignal; readonly dispose: () => void } {
  const controller = new AbortController();
  const before = ancestors(pid, parentOf);
  const timer = setInterval(() => {
    const changed = ancestors(pid, parentOf).findIndex((now, at) => now !== before[at]);
    if (changed === -1) return;
    controller.abort(
      new TsbkError('interrupted', `the process ${before[changed]} that waits for this is gone`),
    );
  }, LOOK_EVERY_MS);
  timer.unref();
  return { signal: controller.signal, dispose: () => clearInterval(timer) };
}

/** Runs what PostgreSQL waits for, under `signal` and for as long as it does wait. */
export async function untilOrphaned<T>(
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const parent = watchParent(process.pid, parentOfProcess);
  try {
    return await work(AbortSignal.any([signal, parent.signal]));
  } finally {
    parent.dispose();
  }
}

function ancestors(pid: number, parentOf: (pid: number) => number | undefined): number[] {
  const found: number[] = [];
  for (let at = parentOf(pid); found.length < GENERATIONS; at = parentOf(at)) {
    // Above the first process there is none; where the system does not tell, nothing changes.
    if (at === undefined || at <= 1) {
      found.push(at ?? 0);
      break;
    }
    found.push(at);
  }
  return found;
}

/** The parent of a process by `/proc`; `undefined` where that does not exist or it is gone. */
export function parentOfProcess(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name in parentheses may hold anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return Number(fields[1]);
  } catch {
    return undefined;
  }
}
