import type { Duplex } from 'node:stream';
import { serialize } from 'pg-protocol';
import { TsbkError, isTsbkError, messageOf } from '../kernel/errors.ts';
import { FrameReader, type Frame } from './frame-reader.ts';
import { sidenoteOf, type ServerNotice } from './messages.ts';
import type { Receiver } from './socket-reader.ts';

/** Servers report fifteen or so. */
const PARAMETERS_MAX = 1000;

/**
 * A connection as a pull-driven source of messages. Parameters and notices, which a server sends
 * whenever it likes, are taken out on the way. It ends when the signal aborts: every wait then
 * throws the signal's reason, and the server sees the connection close.
 */
export class Wire {
  readonly socket: Duplex;
  /** `server_version`, `in_hot_standby` and the like, as last reported. */
  readonly parameters = new Map<string, string>();
  onNotice: (notice: ServerNotice) => void = () => undefined;
  readonly #signal: AbortSignal;
  readonly #frames: FrameReader;
  readonly #onAbort: () => void;

  constructor(
    { socket, receiver }: { readonly socket: Duplex; readonly receiver: Receiver },
    signal: AbortSignal,
  ) {
    this.socket = socket;
    this.#signal = signal;
    this.#frames = new FrameReader(() => receiver.next());
    this.#onAbort = () => void socket.destroy();
    if (signal.aborted) this.#onAbort();
    else signal.addEventListener('abort', this.#onAbort, { once: true });
    socket.once('close', () => signal.removeEventListener('abort', this.#onAbort));
  }

  /** The next message, sidenotes left out. */
  async next(): Promise<Frame> {
    for (;;) {
      const frame = await this.#read();
      if (!this.#takeNote(frame)) return frame;
    }
  }

  /** The next message, whatever it is; sidenotes are noted too. For whoever passes them on. */
  async nextWithNotes(bytesMax?: number): Promise<Frame> {
    const frame = await this.#read(bytesMax);
    this.#takeNote(frame);
    return frame;
  }

  /** Sends bytes; resolves when the kernel has them. */
  async send(bytes: Uint8Array): Promise<void> {
    this.#signal.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      this.socket.write(bytes, (error) =>
        error === undefined || error === null ? resolve() : reject(this.#lost(error)),
      );
    });
  }

  /**
   * Closes the connection, with a word of farewell that an idle server hears; one that is in the
   * middle of something notices the closed socket and aborts it.
   */
  async close(): Promise<void> {
    if (this.socket.closed) return;
    if (this.socket.writable) this.socket.write(serialize.end());
    const closed = new Promise<void>((resolve) => this.socket.once('close', () => resolve()));
    this.socket.destroy();
    await closed;
  }

  async #read(bytesMax?: number): Promise<Frame> {
    try {
      const frame = await this.#frames.next(bytesMax);
      this.#signal.throwIfAborted();
      if (frame !== undefined) return frame;
    } catch (error) {
      this.#signal.throwIfAborted();
      if (isTsbkError(error)) throw error;
      throw this.#lost(error);
    }
    throw this.#lost();
  }

  #takeNote(frame: Frame): boolean {
    const note = sidenoteOf(frame);
    if (note === undefined) return false;
    if (note.kind === 'parameter' && this.parameters.size < PARAMETERS_MAX) {
      this.parameters.set(note.name, note.value);
    }
    if (note.kind === 'notice') this.onNotice(note.notice);
    return true;
  }

  #lost(cause?: unknown): unknown {
    if (this.#signal.aborted) return this.#signal.reason;
    const why = cause === undefined ? 'the server closed it' : messageOf(cause);
    return new TsbkError('connection-lost', `the connection to PostgreSQL was lost: ${why}`, {
      cause,
      hint: 'See the log of the PostgreSQL server and check the network between.',
    });
  }
}
