import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileIdentity } from '@tsbk/core/archive/file-identity';
import { readyFiles } from '@tsbk/core/archive/ready-files';
import { instantToMs } from '@tsbk/core/kernel/instant';
import type { Clock } from '@tsbk/core/ports/clock';

/** Files that were pushed and may be asked for, again or for the first time. */
const REMEMBERED_MAX = 512;
/** What was durable so long ago may have been removed from the archive by somebody. */
const AGE_MAX_MS = 3_600_000;

interface LookAheadOptions {
  /** Absolute. */
  readonly dataDir: string;
  readonly clock: Clock;
  /** How many are pushed at the same time. */
  readonly width: () => number;
  /** How many are planned at a time; 0 for none at all. */
  readonly most: () => number;
  /** Pushes one file. */
  readonly push: (path: string, signal: AbortSignal) => Promise<unknown>;
  readonly failed: (what: string, error: unknown) => void;
}

interface Remembered {
  /** As `fileIdentity` gives it. */
  readonly identity: string;
  /** The archive in which it is durable. */
  readonly place: string;
  readonly rememberedMs: number;
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
  readonly #workers = new Set<Promise<void>>();
  /** What to push next, and what is being pushed. */
  #planned: string[] = [];
  readonly #underWay = new Set<string>();
  #planning: Promise<void> | undefined;
  #isSound = true;

  constructor(options: LookAheadOptions) {
    this.#options = options;
  }

  /** Whether this file, as it is now, is durable in the archive `place`. */
  async recalls(path: string, place: string): Promise<boolean> {
    const known = this.#durable.get(path);
    if (known === undefined || known.place !== place) return false;
    if (this.#options.clock.monotonicMs() - known.rememberedMs > AGE_MAX_MS) return false;
    return (await settledIdentity(path, this.#options.clock)) === known.identity;
  }

  /** What a file is before it is pushed, to be given to `remember` when it is durable. */
  async look(path: string): Promise<string | undefined> {
    return await settledIdentity(path, this.#options.clock);
  }

  /** The file that `look` saw is durable, unless it has changed meanwhile. */
  async remember(path: string, seen: string | undefined, place: string): Promise<void> {
    if (seen === undefined || (await this.look(path)) !== seen) return;
    this.#durable.delete(path);
    const rememberedMs = this.#options.clock.monotonicMs();
    this.#durable.set(path, { identity: seen, place, rememberedMs });
    const [oldest] = this.#durable.keys();
    if (this.#durable.size > REMEMBERED_MAX && oldest !== undefined) this.#durable.delete(oldest);
  }

  /** Looks for files that are ready, and goes on until there are none. */
  wake(): void {
    if (this.#stop.signal.aborted) return;
    this.#isSound = true;
    while (this.#workers.size < this.#options.width()) {
      const worker = this.#work()
        .catch((error: unknown) => this.#options.failed('ahead', error))
        .finally(() => this.#workers.delete(worker));
      this.#workers.add(worker);
    }
  }

  /** Resolves when nothing is pushed ahead any more, after `ms` at the latest, or when `signal` aborts. */
  async caughtUp(ms: number, signal: AbortSignal): Promise<void> {
    const settled = new AbortController();
    const either = AbortSignal.any([signal, settled.signal]);
    const late = this.#options.clock.sleep(ms, { signal: either }).catch(() => undefined);
    await Promise.race([Promise.all(this.#workers), late]);
    settled.abort();
  }

  /** Ends it. */
  stop(reason: unknown): void {
    this.#stop.abort(reason);
  }

  /** One of `width`. None waits for the others: as long as there is something to push, all are at it. */
  async #work(): Promise<void> {
    for (;;) {
      if (this.#planned.length === 0) await (this.#planning ??= this.#plan());
      const path = this.#planned.shift();
      if (path === undefined) return;
      if (!(await this.#settle(path))) this.#isSound = false;
      if (this.#isSound) continue;
      // After a failure nothing is tried until somebody asks, and is told.
      this.#planned = [];
      return;
    }
  }

  /** Pushes a planned file, unless somebody has asked for it since. */
  async #settle(path: string): Promise<boolean> {
    this.#underWay.add(path);
    try {
      return (await this.#isDone(path)) || (await this.#pushOne(path));
    } finally {
      this.#underWay.delete(path);
    }
  }

  async #plan(): Promise<void> {
    try {
      this.#planned = await this.#find();
    } finally {
      this.#planning = undefined;
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
    const { dataDir, most } = this.#options;
    const folder = join(dataDir, 'pg_wal');
    const found: string[] = [];
    const known = this.#durable.size + this.#underWay.size;
    for (const { name } of await readyFiles(folder, most() + known)) {
      if (found.length >= most()) break;
      const path = join(folder, name);
      if (this.#underWay.has(path) || (await this.#isDone(path))) continue;
      found.push(path);
    }
    return found;
  }

  /** Whether a file is durable as it is now, or gone, or too fresh to be pushed ahead. */
  async #isDone(path: string): Promise<boolean> {
    const identity = await this.look(path);
    return identity === undefined || this.#durable.get(path)?.identity === identity;
  }
}

/**
 * File systems tell the time of a change in steps. Only a file that has been left alone for longer than
 * such a step, and than clocks of a network file system differ, cannot be written to without showing it.
 */
const SETTLED_MS = 1000;

/** The identity of a file that has been left alone; `undefined` for one that is gone or too fresh. */
async function settledIdentity(path: string, clock: Clock): Promise<string | undefined> {
  const found = await stat(path, { bigint: true }).catch(() => undefined);
  if (found === undefined || !found.isFile()) return undefined;
  const ageMs = instantToMs(clock.now()) - Number(found.ctimeMs);
  return ageMs < SETTLED_MS ? undefined : fileIdentity(found);
}
