import type { Server as HttpServer } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import { isWalgLetter } from './walg-messages.ts';

/** More than PostgreSQL, its operators and their monitoring open together. Others are let go at once. */
const CONNECTIONS_MAX = 128;
/** How long a client may take to say what it wants. */
const REQUEST_MS = 5000;

interface DoorOptions {
  readonly http: HttpServer;
  readonly walg: (socket: Socket) => void;
}

/**
 * Takes connections and tells by the first byte who has come: `C`, `F` and `f` are WAL-G's daemon
 * protocol, everything else must be HTTP, of whose methods that are served here none begins like that.
 */
export class Door {
  /** Not listening yet. */
  readonly server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #awaited = new Map<Socket, NodeJS.Timeout>();

  constructor({ http, walg }: DoorOptions) {
    this.server = createServer((socket) => this.#admit(socket, { http, walg }));
    this.server.maxConnections = CONNECTIONS_MAX;
    http.prependListener('request', ({ socket }) => this.#hasAsked(socket));
  }

  get connections(): number {
    return this.#sockets.size;
  }

  /** Lets nobody in any more; who is inside stays. Removes the socket's name. */
  stopListening(): void {
    this.server.close();
  }

  /** Puts out who is still there. */
  clear(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #admit(socket: Socket, { http, walg }: DoorOptions): void {
    this.#sockets.add(socket);
    this.#awaited.set(
      socket,
      setTimeout(() => socket.destroy(), REQUEST_MS),
    );
    socket.on('error', () => socket.destroy());
    socket.once('close', () => {
      this.#hasAsked(socket);
      this.#sockets.delete(socket);
    });
    socket.once('data', (first: Buffer) => {
      socket.pause();
      if (isWalgLetter(first[0])) {
        this.#hasAsked(socket);
        walg(socket);
      } else {
        http.emit('connection', socket);
      }
      socket.unshift(first);
      socket.resume();
    });
  }

  #hasAsked(socket: Socket): void {
    clearTimeout(this.#awaited.get(socket));
    this.#awaited.delete(socket);
  }
}
