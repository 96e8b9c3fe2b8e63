import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Settles as `work` does. Once the signal aborts, work has `graceMs` to clean up; after that this
 * rejects with the signal's reason, whatever work still waits for: a file system that hangs hears
 * no signal, and a command that PostgreSQL waits for must end all the same.
 */
export async function withGrace<T>(
  work: Promise<T>,
  signal: AbortSignal,
  graceMs: number,
): Promise<T> {
  work.catch(() => undefined);
  const settled = new AbortController();
  try {
    return await Promise.race([work, graceAfter(signal, graceMs, settled.signal)]);
  } finally {
    settled.abort();
  }
}

async function graceAfter(
  signal: AbortSignal,
  graceMs: number,
  settled: AbortSignal,
): Promise<never> {
  if (!signal.aborted) {
    await new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => resolve(), { once: true, signal: settled });
    });
  }
  await sleep(graceMs, undefined, { signal: settled }).catch(() => new Promise<never>(() => {}));
  throw signal.reason;
}
