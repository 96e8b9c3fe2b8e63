import type { OnReadOpts, Socket } from 'node:net';
import type { Receiver } from './socket-reader.ts';

/** A read takes what the kernel has, this much at most. */
const SEGMENT_BYTES = 128 * 1024;
const SEGMENTS = 6;

/**
 * What a plain socket reads into: a few segments that are used again and again, so that nothing is
 * allocated for a byte that arrives and the processor finds it in its cache. While none is free the
 * socket is not read, and TCP holds the server back. Node.js docs, `net`, "onread".
 */
export class ReceiveRing implements Receiver {
  /** To connect the socket with. */
  readonly onread: OnReadOpts;
  readonly #free: Buffer[] = Array.from({ length: SEGMENTS }, () =>
    Buffer.allocUnsafeSlow(SEGMENT_BYTES),
  );
  readonly #arrived: Buffer[] = [];
  #lent: Buffer | undefined;
  #socket: Socket | undefined;
  #ended = false;
  #error: Error | undefined;
  #wake: (() => void) | undefined;

  constructor() {
    this.onread = {
      buffer: () => this.#take(),
      callback: (bytes, segment) => this.#hear(bytes, segment),
    };
  }

  /** The socket that was connected with `onread`. */
  attach(socket: Socket): void {
    this.#socket = socket;
    const end = (): void => {
      this.#ended = true;
      this.#wake?.();
    };
    socket.on('end', end);
    socket.on('close', end);
    socket.on('error', (error) => {
      this.#error = error;
      this.#wake?.();
    });
  }

  /** The next bytes, lent until they are asked for again; `undefined` when the other side has closed. */
  async next(): Promise<Buffer | undefined> {
    this.#giveBack();
    for (;;) {
      const bytes = this.#arrived.shift();
      if (bytes !== undefined) {
        this.#lent = bytes;
        return bytes;
      }
      if (this.#error !== undefined) throw this.#error;
      if (this.#ended) return undefined;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  #giveBack(): void {
    if (this.#lent === undefined) return;
    this.#free.push(Buffer.from(this.#lent.buffer, 0, SEGMENT_BYTES));
    this.#lent = undefined;
    this.#socket?.resume();
  }

  /** There is one: reading stops while the last is with the socket. */
  #take(): Buffer {
    const segment = this.#free.pop();
    if (segment === undefined) throw new Error('the socket was read with no segment free');
    return segment;
  }

  /** Whether to go on reading. */
  #hear(bytes: number, segment: Uint8Array): boolean {
    this.#arrived.push(Buffer.from(segment.buffer, 0, bytes));
    this.#wake?.();
    // The socket takes one in any case, and needs another one for the read after the next.
    return this.#free.length > 1;
  }
}
