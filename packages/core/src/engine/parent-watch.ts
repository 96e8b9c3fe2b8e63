import { TsbkError } from '../kernel/errors.ts';

const LOOK_EVERY_MS = 500;

/**
 * Aborts when the process that started this command is gone: an archiver or startup process that
 * died leaves its command running, beside the one that its successor starts. The result of an
 * orphan is nobody's answer, so it stops.
 */
export function watchParent(
  parentPid: number,
  isAlive: (pid: number) => boolean,
): { readonly signal: AbortSignal; readonly dispose: () => void } {
  const controller = new AbortController();
  const timer = setInterval(() => {
    if (isAlive(parentPid)) return;
    controller.abort(
      new TsbkError('interrupted', `the process ${parentPid} that started this command is gone`),
    );
  }, LOOK_EVERY_MS);
  timer.unref();
  return { signal: controller.signal, dispose: () => clearInterval(timer) };
}

/** Whether a process exists, also one of another user. */
export function processExists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
