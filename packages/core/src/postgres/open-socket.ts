import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { once } from 'node:events';
import { serialize } from 'pg-protocol';
import { TsbkError, messageOf } from '../kernel/errors.ts';
import {
  describeHost,
  type HostSettings,
  type SslMode,
  type TlsSettings,
} from './connection-settings.ts';
import { ReceiveRing } from './receive-ring.ts';
import { SocketReader, type Receiver } from './socket-reader.ts';
import { tlsOptions } from './tls-options.ts';

/** `offer` takes TLS if the server has it and goes on without if not. */
export type Encryption = 'plain' | 'offer' | 'demand';

/** Idle time after which the kernel asks whether the other side is still there. */
const KEEPALIVE_MS = 60_000;

/**
 * What to try at one host, in order, for an `sslmode`. A later one is tried only after the server
 * or the TLS handshake refused the one before. Sockets in the file system are never encrypted.
 */
export function encryptionsOf(mode: SslMode, host: HostSettings): readonly Encryption[] {
  if (host.kind === 'socket') return ['plain'];
  switch (mode) {
    case 'disable':
      return ['plain'];
    case 'allow':
      return ['plain', 'demand'];
    case 'prefer':
      return ['offer', 'plain'];
    case 'require':
    case 'verify-ca':
    case 'verify-full':
      return ['demand'];
  }
}

/** A connected socket and how it is read. */
export interface OpenedSocket {
  readonly socket: Socket;
  readonly receiver: Receiver;
}

/**
 * Connects to a host and negotiates TLS. Nothing of what the
 * server says after the negotiation is lost. Rejects with system errors as they come, with `server-tls` when TLS
 * cannot be had, and with the signal's reason; then the socket is gone. A plain one is read into memory
 * that is used again, which only one that is never encrypted can be.
 */
export async function openSocket(
  host: HostSettings,
  settings: TlsSettings,
  options: { readonly encryption: Encryption; readonly signal: AbortSignal },
): Promise<OpenedSocket> {
  const { encryption, signal } = options;
  signal.throwIfAborted();
  const secured =
    encryption === 'plain' || host.kind === 'socket' ? undefined : await tlsOptions(settings, host);
  const ring = new ReceiveRing();
  const socket = dial(host, secured === undefined ? ring : undefined);
  const onAbort = (): void => void socket.destroy();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    await once(socket, 'connect', { signal });
    if (secured === undefined) return { socket, receiver: ring };
    if (settings.negotiation === 'postgres' && !(await askForTls(socket, host, encryption))) {
      return { socket, receiver: new SocketReader(socket) };
    }
    const secure = await handshake(socket, secured, signal);
    return { socket: secure, receiver: new SocketReader(secure) };
  } catch (error) {
    socket.destroy();
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

function dial(host: HostSettings, ring: ReceiveRing | undefined): Socket {
  const reading = ring === undefined ? {} : { onread: ring.onread };
  const socket =
    host.kind === 'socket'
      ? connectTcp({ path: `${host.directory}/.s.PGSQL.${host.port}`, ...reading })
      : connectTcp({ host: host.address ?? host.name, port: host.port, ...reading });
  ring?.attach(socket);
  socket.setNoDelay(true);
  socket.setKeepAlive(true, KEEPALIVE_MS);
  return socket;
}

/** Sends an SSLRequest. Whether the server answered yes. */
async function askForTls(
  socket: Socket,
  host: HostSettings,
  encryption: Encryption,
): Promise<boolean> {
  const reader = new SocketReader(socket);
  socket.write(serialize.requestSsl());
  const answer = await reader.next();
  reader.release();
  // More than the one byte was sent by somebody in between, to be read as if it were encrypted.
  if (answer?.toString('latin1') === 'S') return true;
  if (answer?.toString('latin1') === 'N') {
    if (encryption === 'offer') return false;
    throw noTls(
      host,
      'does not offer TLS',
      'Switch ssl on in postgresql.conf, or give PGSSLMODE=prefer.',
    );
  }
  throw noTls(
    host,
    answer === undefined
      ? 'closed the connection when asked for TLS'
      : 'gave no answer to the question for TLS',
    'Is this a PostgreSQL server? See its log.',
  );
}

async function handshake(
  socket: Socket,
  options: ConnectionOptions,
  signal: AbortSignal,
): Promise<TLSSocket> {
  // The handle is the TLS socket's from now on; errors come from there.
  socket.on('error', () => undefined);
  const secure = await secured(socket, options, signal);
  if (options.ALPNProtocols !== undefined && secure.alpnProtocol !== 'postgresql') {
    secure.destroy();
    throw new TsbkError('server-tls', 'the server did not agree to speak PostgreSQL over TLS', {
      hint: 'PGSSLNEGOTIATION=direct needs PostgreSQL 17 or later.',
    });
  }
  return secure;
}

async function secured(
  socket: Socket,
  options: ConnectionOptions,
  signal: AbortSignal,
): Promise<TLSSocket> {
  let secure: TLSSocket | undefined;
  try {
    // Throws at once for files that are no certificates or keys.
    secure = connectTls({ ...options, socket });
    await once(secure, 'secureConnect', { signal });
    return secure;
  } catch (error) {
    secure?.destroy();
    signal.throwIfAborted();
    throw new TsbkError('server-tls', `TLS with PostgreSQL: ${messageOf(error)}`, {
      cause: error,
      hint: 'The certificate must be signed by the authority in PGSSLROOTCERT and, with verify-full, bear the name in PGHOST.',
    });
  }
}

function noTls(host: HostSettings, what: string, hint: string): TsbkError {
  return new TsbkError('server-tls', `PostgreSQL at ${describeHost(host)} ${what}`, { hint });
}
