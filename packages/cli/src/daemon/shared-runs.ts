import { TsbkError } from '@tsbk/core/kernel/errors';
import { orAbort } from '@tsbk/core/stream/abort';

interface Run<T> {
  readonly result: Promise<T>;
  readonly stop: AbortController;
  waiting: number;
}

interface RunLimits {
  /** How many work at once; others wait for their turn. */
  readonly width: number;
  /** How many there may be in all. More are refused. */
  readonly most: number;
}

/**
 * Work that several may ask for at the same time, and that is done once: whoever asks for a key that
 * is under way waits for the same result. Work whose last asker has gone is aborted.
 */
export class SharedRuns<T> {
  readonly #limits: RunLimits;
  readonly #runs = new Map<string, Run<T>>();
  readonly #turns: (() => void)[] = [];
  #working = 0;

  constructor(limits: RunLimits) {
    this.#limits = limits;
  }

  /** How many there are, with those that wait for their turn. */
  get size(): number {
    return this.#runs.size;
  }

  /**
   * Does the work, or joins who does it. Rejects with the reason of `signal` when that aborts first.
   * Throws `daemon-busy` when there is too much of it.
   */
  async join(
    key: string,
    signal: AbortSignal,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    signal.throwIfAborted();
    const run = this.#runs.get(key) ?? this.#begin(key, work);
    run.waiting += 1;
    try {
      return await orAbort(run.result, signal);
    } finally {
      run.waiting -= 1;
      if (run.waiting === 0) this.#leave(key, run);
    }
  }

  #begin(key: string, work: (signal: AbortSignal) => Promise<T>): Run<T> {
    if (this.#runs.size >= this.#limits.most) {
      throw new TsbkError('daemon-busy', `${this.#runs.size} WAL files are being worked at`, {
        hint: 'PostgreSQL will ask again.',
      });
    }
    const stop = new AbortController();
    const run = { stop, waiting: 0, result: this.#inTurn(stop.signal, work) };
    run.result.then(
      () => this.#forget(key, run),
      () => this.#forget(key, run),
    );
    this.#runs.set(key, run);
    return run;
  }

  async #inTurn(signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    if (this.#working >= this.#limits.width) {
      await new Promise<void>((resolve) => this.#turns.push(resolve));
    } else {
      this.#working += 1;
    }
    try {
      signal.throwIfAborted();
      return await work(signal);
    } finally {
      const next = this.#turns.shift();
      if (next === undefined) this.#working -= 1;
      else next();
    }
  }

  /** Nobody waits any more. One who comes now gets a run of his own, not the end of this one. */
  #leave(key: string, run: Run<T>): void {
    this.#forget(key, run);
    run.stop.abort(new TsbkError('interrupted', 'nobody waits for this any more'));
  }

  #forget(key: string, run: Run<T>): void {
    if (this.#runs.get(key) === run) this.#runs.delete(key);
  }
}
