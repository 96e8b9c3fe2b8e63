import type { ByteSource } from '../ports/bytes.ts';
import type { LaneOrder, Slabs } from './messages.ts';

/** The slab that bytes go into just now. */
interface Filling {
  readonly index: number;
  readonly slab: Uint8Array;
  bytes: number;
}

/**
 * The calling thread's end of the slabs: copies a source into those that are free and waits while
 * none is, so that no more raw bytes wait in front of a lane than its slabs hold.
 */
export class SlabFeed {
  readonly #slabs: readonly Uint8Array[];
  readonly #post: (order: LaneOrder) => void;
  #free: number[] = [];
  #filling: Filling | undefined;
  #wake: (() => void) | undefined;

  constructor(slabs: Slabs, post: (order: LaneOrder) => void) {
    this.#slabs = slabs.map((slab) => new Uint8Array(slab));
    this.#post = post;
    this.reset();
  }

  /** All slabs are free: the lane is at no task. */
  reset(): void {
    this.#free = this.#slabs.map((_, index) => index);
    this.#filling = undefined;
  }

  /** The lane has read a slab. */
  credit(slab: number): void {
    this.#free.push(slab);
    this.#wake?.();
  }

  /**
   * Sends the source to its end; ends early, without a word, once `over` has aborted. Rejects with
   * what the source throws.
   */
  async send(source: ByteSource, over: AbortSignal): Promise<void> {
    const onOver = (): void => this.#wake?.();
    over.addEventListener('abort', onOver, { once: true });
    try {
      for await (const chunk of source) {
        await this.#copy(chunk, over);
        if (over.aborted) return;
      }
      this.#flush();
      this.#post({ kind: 'end' });
    } finally {
      over.removeEventListener('abort', onOver);
    }
  }

  async #copy(chunk: Uint8Array, over: AbortSignal): Promise<void> {
    for (let rest = chunk; rest.length > 0;) {
      this.#filling ??= await this.#take(over);
      if (this.#filling === undefined) return;
      const { slab, bytes } = this.#filling;
      const piece = rest.subarray(0, slab.length - bytes);
      slab.set(piece, bytes);
      this.#filling.bytes += piece.length;
      rest = rest.subarray(piece.length);
      if (this.#filling.bytes === slab.length) this.#flush();
    }
  }

  #flush(): void {
    if (this.#filling === undefined) return;
    const { index, bytes } = this.#filling;
    this.#post({ kind: 'chunk', slab: index, bytes });
    this.#filling = undefined;
  }

  /** The next free slab; `undefined` once the task is over. */
  async #take(over: AbortSignal): Promise<Filling | undefined> {
    while (this.#free.length === 0 && !over.aborted) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    this.#wake = undefined;
    const index = over.aborted ? undefined : this.#free.pop();
    const slab = this.#slabs[index ?? -1];
    return index === undefined || slab === undefined ? undefined : { index, slab, bytes: 0 };
  }
}
