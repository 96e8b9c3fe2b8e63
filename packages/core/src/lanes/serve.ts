import type { MessagePort } from 'node:worker_threads';
import type { ByteSource } from '../ports/bytes.ts';
import { fromPortable, toPortable, type LaneOrder, type LaneWord, type Slabs } from './messages.ts';
import { SlabReader } from './slab-reader.ts';

/** What a task may use beside its input. */
export interface LaneTaskContext {
  /**
   * The raw bytes that the calling thread sends. A chunk is lent: it must be done with when the
   * next one is asked for, because its memory is used again.
   */
  readonly source: ByteSource;
  readonly signal: AbortSignal;
  /** Tells something before the end. */
  readonly batch: (batch: unknown) => void;
}

export interface LaneHandlers {
  /** By name of the task. Input and result are structured-clonable. */
  readonly tasks: Readonly<
    Record<string, (input: never, context: LaneTaskContext) => Promise<unknown>>
  >;
  /** Frees what the tasks use. */
  readonly close: () => Promise<void>;
}

/** A lane's own side: does the tasks that come through the port, until it is told to close. */
export function serveLane(port: MessagePort, slabs: Slabs, handlers: LaneHandlers): void {
  const say = (word: LaneWord): void => port.postMessage(word);
  let task: RunningTask | undefined;
  const start = async (name: string, input: unknown): Promise<void> => {
    const running = new RunningTask(slabs, say);
    task = running;
    try {
      const handler = handlers.tasks[name];
      if (handler === undefined) throw new TypeError(`no lane does ${name}`);
      // The calling thread's types bind name and input; they cannot reach through a port.
      say({ kind: 'done', result: await handler(input as never, running) });
    } catch (error) {
      say({ kind: 'failed', error: toPortable(error) });
    } finally {
      task = undefined;
    }
  };
  const close = async (): Promise<void> => {
    await handlers.close();
    port.close();
  };
  port.on('message', (order: LaneOrder) => {
    if (order.kind === 'start') void start(order.task, order.input);
    else if (order.kind === 'close') void close();
    else task?.hear(order);
  });
}

type TaskOrder = Exclude<LaneOrder, { readonly kind: 'start' | 'close' }>;

/** The task under way. */
class RunningTask implements LaneTaskContext {
  readonly #reader: SlabReader;
  readonly #say: (word: LaneWord) => void;
  readonly #stop = new AbortController();

  constructor(slabs: Slabs, say: (word: LaneWord) => void) {
    this.#reader = new SlabReader(slabs, (slab) => say({ kind: 'credit', slab }));
    this.#say = say;
  }

  get source(): ByteSource {
    return this.#reader.source;
  }

  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  batch = (batch: unknown): void => this.#say({ kind: 'batch', batch });

  hear(order: TaskOrder): void {
    if (order.kind !== 'stop') return this.#reader.hear(order);
    const error = fromPortable(order.error);
    this.#stop.abort(error);
    this.#reader.hear({ kind: 'fail', error });
  }
}
