import type { ByteSource } from '../ports/bytes.ts';
import type { LaneOrder, Slabs } from './messages.ts';

/** What a reader hears of the bytes it is sent. */
export type SlabOrder =
  | Extract<LaneOrder, { readonly kind: 'chunk' | 'end' }>
  | { readonly kind: 'fail'; readonly error: unknown };

/**
 * The other end of a `SlabWriter`: a source of what lies in the slabs that it was sent. A chunk is
 * lent, until the next one is asked for; then its slab goes back by `credit`.
 */
export class SlabReader {
  readonly source: ByteSource;
  readonly #slabs: Slabs;
  readonly #credit: (slab: number) => void;
  readonly #arrived: { readonly slab: number; readonly bytes: number }[] = [];
  #failure: { readonly error: unknown } | undefined;
  #ended = false;
  #wake: (() => void) | undefined;

  constructor(slabs: Slabs, credit: (slab: number) => void) {
    this.#slabs = slabs;
    this.#credit = credit;
    this.source = this.#chunks();
  }

  /** After `fail` the source throws that error, also in the middle of a wait. */
  hear(order: SlabOrder): void {
    if (order.kind === 'chunk') this.#arrived.push(order);
    else if (order.kind === 'end') this.#ended = true;
    else this.#failure ??= order;
    this.#wake?.();
  }

  async *#chunks(): ByteSource {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure.error;
      const next = this.#arrived.shift();
      if (next !== undefined) {
        const slab = this.#slabs[next.slab];
        if (slab === undefined) throw new RangeError(`there is no slab ${next.slab}`);
        yield Buffer.from(slab, 0, next.bytes);
        this.#credit(next.slab);
      } else if (this.#ended) return;
      else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }
}
