import type { Duplex } from 'node:stream';

/** Where the bytes of a connection come from. */
export interface Receiver {
  /**
   * The next bytes, lent until they are asked for again; `undefined` when the other side has closed.
   * Rejects with the socket's error.
   */
  next(): Promise<Buffer | undefined>;
}

/**
 * Pulls chunks out of a socket. The socket stays paused: it reads ahead by its high-water mark
 * (64 KiB at most) and no further, so that a reader who does not ask lets TCP hold the server back.
 */
export class SocketReader implements Receiver {
  readonly #socket: Duplex;
  readonly #listeners: Readonly<Record<string, (error?: Error) => void>>;
  #wake: (() => void) | undefined;
  #ended = false;
  #error: Error | undefined;

  constructor(socket: Duplex) {
    this.#socket = socket;
    const end = (): void => {
      this.#ended = true;
      this.#wake?.();
    };
    this.#listeners = {
      readable: () => this.#wake?.(),
      end,
      close: end,
      // Also keeps a late ECONNRESET from being an uncaught exception.
      error: (error) => {
        this.#error = error;
        this.#wake?.();
      },
    };
    for (const [event, listener] of Object.entries(this.#listeners)) socket.on(event, listener);
  }

  /** The next bytes, owned by the caller; `undefined` when the other side has closed. */
  async next(): Promise<Buffer | undefined> {
    for (;;) {
      const chunk: unknown = this.#socket.read();
      if (Buffer.isBuffer(chunk)) return chunk;
      if (this.#error !== undefined) throw this.#error;
      if (this.#ended) return undefined;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** Lets go of the socket, for whoever reads it next. */
  release(): void {
    for (const [event, listener] of Object.entries(this.#listeners)) {
      this.#socket.off(event, listener);
    }
  }
}
