import { once } from 'node:events';
import { serialize } from 'pg-protocol';
import type { HostSettings, TlsSettings } from './connection-settings.ts';
import type { OpenedHost } from './open-host.ts';
import { encryptionsOf, openSocket } from './open-socket.ts';

/** By which a server knows the session whose command is to be cancelled. */
export interface BackendKey {
  readonly processId: number;
  readonly secret: number;
}

/** What the server told `pg`'s client and its types do not know; poolers may tell nothing. */
interface ClientKey {
  readonly processID: number | null;
  readonly secretKey: number | null;
}

/** The key of a session that has just been made, if the server told one. */
export function backendKeyOf({ client }: OpenedHost): BackendKey | undefined {
  const { processID, secretKey } = client as unknown as Partial<ClientKey>;
  if (typeof processID !== 'number' || typeof secretKey !== 'number') return undefined;
  return { processId: processID, secret: secretKey };
}

/** Nobody waits longer for what is only a courtesy. */
const CANCEL_MS = 2000;

/**
 * Asks a server to end what one of its sessions is doing. A server that waits, as BASE_BACKUP does
 * for a checkpoint spread over minutes, notices only when it sends again that its client has gone.
 * Never throws: then the session goes on until it notices.
 */
export async function requestCancel(
  host: HostSettings,
  tls: TlsSettings,
  { processId, secret }: BackendKey,
): Promise<void> {
  const signal = AbortSignal.timeout(CANCEL_MS);
  const [encryption = 'plain'] = encryptionsOf(tls.mode, host);
  try {
    const { socket } = await openSocket(host, tls, { encryption, signal });
    socket.end(serialize.cancel(processId, secret));
    socket.resume();
    try {
      // The server says nothing; it closes once it has passed the request on.
      await once(socket, 'close', { signal });
    } finally {
      socket.destroy();
    }
  } catch {
    // It may well be the server that is gone.
  }
}
