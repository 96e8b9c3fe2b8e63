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
   * An open file was given so many bytes. When they are enough they are written to the disk while it
   * is given more, unless that is under way already. What fails is thrown by a later call.
   */
  wrote(fd: number, bytes: number, what: string): void;
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

interface LateSyncOptions {
  /** `false`: files are closed only. */
  readonly enabled: boolean;
  readonly atOnce: number;
}

/** For the files of one writer. `settled` must be waited for, whatever became of them. */
export function syncLater(options: LateSyncOptions): LateSync {
  return new FlushedLater(options);
}

class FlushedLater implements LateSync {
  readonly #options: LateSyncOptions;
  readonly #running = new Set<Promise<void>>();
  /** By file descriptor, which must not be closed, and be another file's, before that has ended. */
  readonly #begun = new Map<number, Promise<void>>();
  /** What an open file was given since the last early flush, bytes. */
  readonly #unflushed = new Map<number, number>();
  #failure: { readonly error: unknown } | undefined;

  constructor(options: LateSyncOptions) {
    this.#options = options;
  }

  wrote(fd: number, bytes: number, what: string): void {
    if (!this.#options.enabled) return;
    const sum = (this.#unflushed.get(fd) ?? 0) + bytes;
    this.#unflushed.set(fd, sum % EARLY_FLUSH_BYTES);
    if (sum >= EARLY_FLUSH_BYTES) this.#early(fd, what);
  }

  async close(fd: number, what: string): Promise<void> {
    this.#unflushed.delete(fd);
    if (this.#options.enabled) this.#follow(this.#flush(fd, what));
    else this.#close(fd, what);
    while (this.#running.size >= this.#options.atOnce) await Promise.race(this.#running);
    this.#check();
  }

  drop(fd: number, what: string): void {
    this.#unflushed.delete(fd);
    const work = this.#begun.get(fd);
    if (work === undefined) this.#close(fd, what);
    else this.#follow(work.then(() => this.#close(fd, what)));
  }

  async settled(): Promise<void> {
    await Promise.all(this.#running);
    this.#check();
  }

  #early(fd: number, what: string): void {
    if (this.#begun.has(fd)) return;
    // The kernel tells of a page it could not write once only.
    const work = flushData(fd).catch((error: unknown) => this.#failed(what, error));
    this.#begun.set(
      fd,
      work.then(() => void this.#begun.delete(fd)),
    );
  }

  async #flush(fd: number, what: string): Promise<void> {
    await this.#begun.get(fd);
    try {
      await flushFile(fd);
    } catch (error) {
      this.#failed(what, error);
    }
    this.#close(fd, what);
  }

  #close(fd: number, what: string): void {
    try {
      closeSync(fd);
    } catch (error) {
      this.#failed(what, error);
    }
  }

  #follow(work: Promise<void>): void {
    this.#running.add(work);
    void work.then(() => this.#running.delete(work));
  }

  #failed(what: string, error: unknown): void {
    this.#failure ??= { error: writeFailed(what, error) };
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
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
