import { closeSync, fdatasync, fsync } from 'node:fs';
import { open } from 'node:fs/promises';
import { promisify } from 'node:util';
import { writeFailed } from './write-failed.ts';

/**
 * What a large file is given between two early flushes. Without them the disk would begin when the
 * program is done with the file.
 */
export const EARLY_FLUSH_BYTES = 16 * 1024 * 1024;

/** Flushes and closes files while the next ones are written. */
export interface LateSync {
  /**
   * Has what an open file was given so far written to the disk while it is given more, unless that
   * is under way already. What fails is thrown by a later call.
   */
  early(fd: number, what: string): void;
  /**
   * Takes over an open file. Resolves at once while few are under way, so that a disk that is slow
   * to flush slows the writer down and few files are open. Throws what failed for an earlier one.
   */
  close(fd: number, what: string): Promise<void>;
  /** Takes over an open file that nobody needs flushed, or not yet: it is closed when it can be. */
  drop(fd: number, what: string): void;
  /** Resolves when every file is flushed and closed. Throws the first failure. */
  settled(): Promise<void>;
}

const flushFile = promisify(fsync);
const flushData = promisify(fdatasync);

/** `enabled: false` only closes. */
export function syncLater(options: {
  readonly enabled: boolean;
  readonly atOnce: number;
}): LateSync {
  const running = new Set<Promise<void>>();
  /** By file descriptor, which must not be closed, and be another file's, before that has ended. */
  const begun = new Map<number, Promise<void>>();
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
    await begun.get(fd);
    try {
      await flushFile(fd);
    } catch (error) {
      failed(what, error);
    }
    close(fd, what);
  };
  const follow = (work: Promise<void>): void => {
    running.add(work);
    void work.then(() => running.delete(work));
  };
  return {
    early: (fd, what) => {
      if (!options.enabled || begun.has(fd)) return;
      // The kernel tells of a page it could not write once only.
      const work = flushData(fd).catch((error: unknown) => failed(what, error));
      begun.set(
        fd,
        work.then(() => void begun.delete(fd)),
      );
    },
    close: async (fd, what) => {
      if (options.enabled) follow(flush(fd, what));
      else close(fd, what);
      while (running.size >= options.atOnce) await Promise.race(running);
      check();
    },
    drop: (fd, what) => {
      const work = begun.get(fd);
      if (work === undefined) close(fd, what);
      else follow(work.then(() => close(fd, what)));
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
