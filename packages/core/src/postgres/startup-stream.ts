import { Duplex } from 'node:stream';
import { TLSSocket, type PeerCertificate } from 'node:tls';
import { encodeFrame, type Frame } from './frame-reader.ts';

/**
 * What `pg` takes for its socket: one that is connected and encrypted already, and that gives it
 * whole messages and only those it is meant to see. So `pg` does the authentication, and its
 * parser holds no half message when somebody else reads on.
 */
export class StartupStream extends Duplex {
  readonly #socket: Duplex;
  /** Present where channel binding is possible: `pg` asks for it by name. */
  readonly getPeerCertificate?: () => PeerCertificate;
  #released = false;

  constructor(socket: Duplex) {
    super({ allowHalfOpen: false });
    this.#socket = socket;
    if (socket instanceof TLSSocket) this.getPeerCertificate = () => socket.getPeerCertificate();
  }

  /** Gives a message to `pg`. */
  deliver(frame: Frame): void {
    this.push(encodeFrame(frame));
  }

  /** From now on, what becomes of this stream does not touch the socket. */
  release(): void {
    this.#released = true;
  }

  connect(): this {
    queueMicrotask(() => this.emit('connect'));
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  override _read(): void {
    // Messages are pushed as they come; the session's pump bounds them.
  }

  override _write(chunk: Buffer, _: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#socket.write(chunk, done);
  }

  override _final(done: () => void): void {
    if (!this.#released) this.#socket.end();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (!this.#released) this.#socket.destroy();
    done(error);
  }
}
