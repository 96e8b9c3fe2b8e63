import { Worker } from 'node:worker_threads';
import { TsbkError } from '../kernel/errors.ts';
import type { Report } from '../ports/report.ts';
import { fromPortable, toPortable, type LaneOrder, type LaneWord, type Slabs } from './messages.ts';
import type { SlabWriter } from './slab-writer.ts';

/** How many raw bytes may wait in front of one lane: `SLABS` of these. */
export const SLAB_BYTES = 512 * 1024;
export const SLABS = 8;

/** Longer than a lane needs to abort its upload (`repository/put-stream`), then it is ended. */
const STOP_MS = 15_000;
const CLOSE_MS = 5000;

/**
 * A lane collects its young objects often and cheaply: the memory of N lanes is N times this, and
 * most of what they handle lies outside of the heap anyway.
 */
const YOUNG_GENERATION_MIB = 8;

export interface LaneThreadOptions {
  /** The module that the thread runs; it calls `serveLane`. */
  readonly entry: URL;
  /** Structured-clonable; arrives there as `workerData.setup`. */
  readonly setup: unknown;
  readonly report: Report;
}

export interface LaneRun {
  readonly task: string;
  readonly input: unknown;
  readonly signal: AbortSignal;
  /** Gives the task its raw bytes. */
  readonly writer?: Pick<SlabWriter, 'attach' | 'credit' | 'detach'>;
  /** Hears what the task tells before its end, in order. What it throws ends the task. */
  readonly onBatch?: (batch: unknown) => void;
}

interface Current {
  readonly writer: LaneRun['writer'];
  readonly onBatch: (batch: unknown) => void;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** One worker thread, seen from the calling one. It works at one task at a time. */
export class LaneThread {
  readonly #worker: Worker;
  readonly #slabs: Slabs;
  readonly #report: Report;
  readonly #exited: Promise<void>;
  #current: Current | undefined;
  #hasWorked = false;
  #death: Error | undefined;

  constructor({ entry, setup, report }: LaneThreadOptions) {
    this.#slabs = Array.from({ length: SLABS }, () => new SharedArrayBuffer(SLAB_BYTES));
    this.#worker = new Worker(entry, {
      workerData: { setup, slabs: this.#slabs },
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MIB },
    });
    this.#report = report;
    this.#worker.on('message', (word: LaneWord) => this.#hear(word));
    this.#worker.on('error', (error) => this.#died(error));
    this.#exited = new Promise((resolve) => {
      this.#worker.on('exit', () => {
        this.#died(undefined);
        resolve();
      });
    });
  }

  /** `false` once the thread is gone: whatever it is asked then fails. */
  get isAlive(): boolean {
    return this.#death === undefined;
  }

  /**
   * Has the lane do a task and gives its result. After an abort, or when a batch is refused, it
   * rejects with that reason once the lane has cleaned up. Throws `lane-lost` if the thread ends.
   */
  async run(run: LaneRun): Promise<unknown> {
    run.signal.throwIfAborted();
    if (this.#death !== undefined) throw this.#death;
    this.#hasWorked = true;
    let stopped: { readonly reason: unknown } | undefined;
    let refused: { readonly error: unknown } | undefined;
    let deadline: NodeJS.Timeout | undefined;
    const stop = (reason: unknown): void => {
      if (stopped !== undefined) return;
      stopped = { reason };
      this.#post({ kind: 'stop', error: toPortable(reason) });
      deadline = setTimeout(() => void this.#worker.terminate(), STOP_MS);
    };
    const onAbort = (): void => stop(run.signal.reason);
    const onBatch = (batch: unknown): void => {
      try {
        if (refused === undefined) run.onBatch?.(batch);
      } catch (error) {
        refused = { error };
        stop(error);
      }
    };
    run.signal.addEventListener('abort', onAbort, { once: true });
    try {
      const result = new Promise((resolve, reject) => {
        this.#current = { writer: run.writer, onBatch, resolve, reject };
      });
      this.#post({ kind: 'start', task: run.task, input: run.input });
      run.writer?.attach(this.#slabs, (order) => this.#post(order));
      const done = await result;
      // The lane may have been done before it heard that its last batch was refused.
      if (refused !== undefined) throw refused.error;
      return done;
    } catch (error) {
      throw stopped === undefined ? error : stopped.reason;
    } finally {
      clearTimeout(deadline);
      run.signal.removeEventListener('abort', onAbort);
      this.#current = undefined;
      run.writer?.detach();
    }
  }

  /** Ends the thread: in peace if it is idle, else at once; and at once if it has nothing to free. */
  async close(): Promise<void> {
    if (this.#current !== undefined || !this.#hasWorked) await this.#worker.terminate();
    this.#post({ kind: 'close' });
    const deadline = setTimeout(() => void this.#worker.terminate(), CLOSE_MS);
    await this.#exited;
    clearTimeout(deadline);
  }

  #post(order: LaneOrder): void {
    this.#worker.postMessage(order);
  }

  #hear(word: LaneWord): void {
    switch (word.kind) {
      case 'credit':
        this.#current?.writer?.credit(word.slab);
        break;
      case 'batch':
        this.#current?.onBatch(word.batch);
        break;
      case 'report':
        this.#report(word.event);
        break;
      case 'done':
        this.#current?.resolve(word.result);
        break;
      case 'failed':
        this.#current?.reject(fromPortable(word.error));
        break;
    }
  }

  #died(cause: Error | undefined): void {
    this.#death ??= new TsbkError('lane-lost', `a worker thread ended: ${reasonOf(cause)}`, {
      cause,
      hint: 'If memory ran out, set TSBK_LANES lower. Otherwise report this, with the message above.',
    });
    this.#current?.reject(this.#death);
  }
}

function reasonOf(cause: Error | undefined): string {
  return cause === undefined ? 'nobody asked it to' : cause.message;
}
