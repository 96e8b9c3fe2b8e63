import { open, type FileHandle } from 'node:fs/promises';
import { writeFailed } from './write-failed.ts';

/** Flushes and closes files while the next ones are written. */
export interface LateSync {
  /**
   * Takes over an open file. Resolves at once while few are under way, so that a disk that is slow
   * to flush slows the writer down and memory stays bounded. Throws what failed for an earlier one.
   */
  close(handle: FileHandle, what: string): Promise<void>;
  /** Resolves when every file is flushed and closed. Throws the first failure. */
  settled(): Promise<void>;
}

/** `enabled: false` only closes. */
export function syncLater(options: {
  readonly enabled: boolean;
  readonly atOnce: number;
}): LateSync {
  const running = new Set<Promise<void>>();
  let failure: { readonly error: unknown } | undefined;

  const check = (): void => {
    if (failure !== undefined) throw failure.error;
  };
  const flush = async (handle: FileHandle, what: string): Promise<void> => {
    try {
      if (options.enabled) await handle.sync();
    } catch (error) {
      failure ??= { error: writeFailed(what, error) };
    } finally {
      await handle.close().catch((error: unknown) => {
        failure ??= { error: writeFailed(what, error) };
      });
    }
  };
  return {
    close: async (handle, what) => {
      const work = flush(handle, what);
      running.add(work);
      void work.then(() => running.delete(work));
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
