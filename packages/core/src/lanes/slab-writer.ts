import type { Receipt } from '../ports/lanes.ts';
import type { LaneOrder, Slabs } from './messages.ts';

/** The slab that bytes go into just now. */
interface Filling {
  readonly index: number;
  readonly slab: Uint8Array;
  bytes: number;
}

const TAKEN = Promise.resolve();

/**
 * A `LaneWriter`, the calling thread's end of one object that a lane makes: copies bytes into slabs that are free
 * and waits while none is, so that no more raw bytes wait in front of a lane than its slabs hold.
 */
export class SlabWriter<Result = Receipt> {
  readonly #done: Promise<Result>;
  readonly #giveUp: (error: unknown) => void;
  #slabs: readonly Uint8Array[] = [];
  #post: (order: LaneOrder) => void = () => undefined;
  #free: number[] = [];
  #filling: Filling | undefined;
  #isOver = false;
  #wake: (() => void) | undefined;

  /** `begin` has a lane start on the object; the writer may wait for one that is free. */
  constructor(
    begin: (writer: SlabWriter<Result>) => Promise<Result>,
    giveUp: (error: unknown) => void,
  ) {
    this.#giveUp = giveUp;
    this.#done = begin(this);
    // Whoever writes or ends next hears of it, also if no lane has ever begun.
    this.#done.catch(() => this.detach());
  }

  /** A lane has begun. */
  attach(slabs: Slabs, post: (order: LaneOrder) => void): void {
    this.#slabs = slabs.map((slab) => new Uint8Array(slab));
    this.#free = this.#slabs.map((_, index) => index);
    this.#post = post;
    this.#wake?.();
  }

  /** The lane has read a slab. */
  credit(slab: number): void {
    this.#free.push(slab);
    this.#wake?.();
  }

  /** The lane takes nothing more, for whatever reason. */
  detach(): void {
    this.#isOver = true;
    this.#wake?.();
  }

  waiting(): number {
    return this.#slabs.length - this.#free.length;
  }

  write(chunk: Uint8Array): Promise<void> {
    const left = this.#copy(chunk);
    return left === undefined ? TAKEN : this.#writeRest(left);
  }

  async end(): Promise<Result> {
    if (this.#filling !== undefined) this.#send(this.#filling);
    // Before a lane has begun there is nobody to tell.
    while (this.#slabs.length === 0 && !this.#isOver) await this.#change();
    this.#post({ kind: 'end' });
    return await this.#done;
  }

  async fail(error: unknown): Promise<void> {
    this.#giveUp(error);
    await this.#done.catch(() => undefined);
  }

  /** Waits for slabs; gives the lane's own reason if it takes no more. */
  async #writeRest(bytes: Uint8Array): Promise<void> {
    for (let left: Uint8Array | undefined = bytes; left !== undefined; left = this.#copy(left)) {
      while (this.#free.length === 0 && !this.#isOver) await this.#change();
      if (!this.#isOver) continue;
      await this.#done;
      throw new Error('the lane ended before its object did');
    }
  }

  /** Copies as much as there is room for at once; gives what is left. */
  #copy(chunk: Uint8Array): Uint8Array | undefined {
    let rest = chunk;
    while (rest.length > 0) {
      this.#filling ??= this.#takeSlab();
      if (this.#filling === undefined) return rest;
      const { slab, bytes } = this.#filling;
      const piece = rest.subarray(0, slab.length - bytes);
      slab.set(piece, bytes);
      this.#filling.bytes += piece.length;
      rest = rest.subarray(piece.length);
      if (this.#filling.bytes === slab.length) this.#send(this.#filling);
    }
    return undefined;
  }

  #takeSlab(): Filling | undefined {
    if (this.#isOver) return undefined;
    const index = this.#free.pop();
    const slab = this.#slabs[index ?? -1];
    return index === undefined || slab === undefined ? undefined : { index, slab, bytes: 0 };
  }

  #send({ index, bytes }: Filling): void {
    this.#post({ kind: 'chunk', slab: index, bytes });
    this.#filling = undefined;
  }

  async #change(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    this.#wake = undefined;
  }
}
