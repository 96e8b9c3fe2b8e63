import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/** A port of this machine behind which a service can be there or not be there. */
export interface Gate extends AsyncDisposable {
  readonly endpoint: string;
  /** From now on connections reach the service. */
  open(): Promise<void>;
  /** From now on connections are refused, and those that exist are reset. */
  shut(): Promise<void>;
}

/** A gate to the service at `target` (`http://127.0.0.1:9000`), open to begin with. */
export async function openGate(target: string): Promise<Gate> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    const behind = connect(Number(port), hostname);
    for (const end of [socket, behind]) {
      sockets.add(end);
      end.on('error', () => undefined);
      end.once('close', () => sockets.delete(end));
    }
    socket.pipe(behind).pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the gate has no port');
  const shut = async (): Promise<void> => {
    if (!server.listening) return;
    const closed = once(server, 'close');
    server.close();
    for (const socket of sockets) socket.resetAndDestroy();
    await closed;
  };
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    open: async () => {
      server.listen(address.port, '127.0.0.1');
      await once(server, 'listening');
    },
    shut,
    [Symbol.asyncDispose]: shut,
  };
}
