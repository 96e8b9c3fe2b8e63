import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parseWalFileName } from '@tsbk/core/kernel/wal-file';
import type { Clock } from '@tsbk/core/ports/clock';
import { settledIdentity, type FileIdentity } from './file-identity.ts';

const READY = '.ready';
/** As many as PostgreSQL's archiver plans for at a time (`NUM_FILES_PER_DIRECTORY_SCAN`). */
const AHEAD_MAX = 64;
/** Files that were pushed and may be asked for, again or for the first time. */
const REMEMBERED_MAX = 512;

interface LookAheadOptions {
  /** Absolute. */
  readonly dataDir: string;
  readonly clock: Clock;
  /** How many are pushed at the same time. */
  readonly width: () => number;
  /** Pushes one file. */
  readonly push: (path: string, signal: AbortSignal) => Promise<unknown>;
  readonly failed: (what: string, error: unknown) => void;
}

interface Remembered {
  readonly identity: FileIdentity;
  /** The archive in which it is durable. */
  readonly place: string;
}

/**
 * Pushes what PostgreSQL will ask for next, and remembers in memory what is durable: a file that is the
 * very file which was archived needs no store to be answered for. PostgreSQL's own marks are only read.
 * What fails here is told and left to the request that will come for it.
 */
export class LookAhead {
  readonly #options: LookAheadOptions;
  readonly #durable = new Map<string, Remembered>();
  readonly #stop = new AbortController();
  #isRunning = false;

  constructor(options: LookAheadOptions) {
    this.#options = options;
  }

  /** Whether this file, as it is now, is durable in the archive `place`. */
  async recalls(path: string, place: string): Promise<boolean> {
    const known = this.#durable.get(path);
    if (known === undefined || known.place !== place) return false;
    return (await settledIdentity(path, this.#options.clock)) === known.identity;
  }

  /** What a file is before it is pushed, to be given to `remember` when it is durable. */
  async look(path: string): Promise<FileIdentity | undefined> {
    return await settledIdentity(path, this.#options.clock);
  }

  /** The file that `look` saw is durable, unless it has changed meanwhile. */
  async remember(path: string, seen: FileIdentity | undefined, place: string): Promise<void> {
    if (seen === undefined || (await this.look(path)) !== seen) return;
    this.#durable.delete(path);
    this.#durable.set(path, { identity: seen, place });
    const [oldest] = this.#durable.keys();
    if (this.#durable.size > REMEMBERED_MAX && oldest !== undefined) this.#durable.delete(oldest);
  }

  /** Looks for files that are ready, and goes on until there are none. */
  wake(): void {
    if (this.#isRunning || this.#stop.signal.aborted) return;
    this.#isRunning = true;
    void this.#run().finally(() => {
      this.#isRunning = false;
    });
  }

  /** Ends it. */
  stop(reason: unknown): void {
    this.#stop.abort(reason);
  }

  async #run(): Promise<void> {
    const { width } = this.#options;
    for (;;) {
      const paths = await this.#find();
      if (paths.length === 0) return;
      let isSound = true;
      const work = async (): Promise<void> => {
        for (;;) {
          const path = isSound ? paths.shift() : undefined;
          if (path === undefined) return;
          isSound = (await this.#pushOne(path)) && isSound;
        }
      };
      await Promise.all(Array.from({ length: width() }, work));
      // After a failure nothing is tried until somebody asks, and is told.
      if (!isSound) return;
    }
  }

  async #pushOne(path: string): Promise<boolean> {
    const { signal } = this.#stop;
    try {
      await this.#options.push(path, signal);
      return true;
    } catch (error) {
      if (!signal.aborted) this.#options.failed(`ahead, ${path}`, error);
      return false;
    }
  }

  /** What is ready, settled and not known to be durable, in the order in which it will be asked for. */
  async #find(): Promise<string[]> {
    const { dataDir, clock } = this.#options;
    const folder = join(dataDir, 'pg_wal');
    const names = (await readdir(join(folder, 'archive_status')).catch(() => []))
      .filter((name) => name.endsWith(READY))
      .map((name) => name.slice(0, -READY.length));
    const isHistory = (name: string): boolean => name.endsWith('.history');
    const found: string[] = [];
    for (const name of [
      ...names.filter(isHistory).sort(),
      ...names.filter((name) => !isHistory(name)).sort(),
    ]) {
      if (found.length === AHEAD_MAX) break;
      const path = join(folder, name);
      if (parseWalFileName(name) === undefined) continue;
      const identity = await settledIdentity(path, clock);
      if (identity === undefined || this.#durable.get(path)?.identity === identity) continue;
      found.push(path);
    }
    return found;
  }
}
