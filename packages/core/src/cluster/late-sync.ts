import { closeSync, fsync } from 'node:fs';
import { open } from 'node:fs/promises';
import { promisify } from 'node:util';
import { writeFailed } from './write-failed.ts';

/** Flushes and closes files while the next ones are written. */
export interface LateSync {
  /**
   * Takes over an open file. Resolves at once while few are under way, so that a disk that is slow
   * to flush slows the writer down and few files are open. Throws what failed for an earlier one.
   */
  close(fd: number, what: string): Promise<void>;
  /** Resolves when every file is flushed and closed. Throws the first failure. */
  settled(): Promise<void>;
}

const flushFile = promisify(fsync);

/** `enabled: false` only closes. */
export function syncLater(options: {
  readonly enabled: boolean;
  readonly atOnce: number;
}): LateSync {
  const running = new Set<Promise<void>>();
  let failure: { readonly error: unknown } | undefined;

  const failed = (what: string, error: unknown): void => {
    failure ??= { error: writeFailed(what, error) };
  };
  const close = (fd: number, what: string): void => {
    try {
      closeSync(fd);
    } catch (error) {
      failed(what, error);
    }
  };
  const check = (): void => {
    if (failure !== undefined) throw failure.error;
  };
  const flush = async (fd: number, what: string): Promise<void> => {
    try {
      await flushFile(fd);
    } catch (error) {
      failed(what, error);
    }
    close(fd, what);
  };
  return {
    close: async (fd, what) => {
      if (options.enabled) {
        const work = flush(fd, what);
        running.add(work);
        void work.then(() => running.delete(work));
      } else close(fd, what);
      while (running.size >= options.atOnce) await Promise.race(running);
      check();
    },
    settled: async () => {
      await Promise.all(running);
      check();
    },
  };
}

/** Flushes a directory: the names of what was made in it. */
export async function syncDirectory(path: string | Buffer): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
