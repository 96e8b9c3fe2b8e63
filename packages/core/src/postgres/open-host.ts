import { DatabaseError } from 'pg-protocol';
import type { Client } from 'pg';
import { TsbkError, isTsbkError } from '../kernel/errors.ts';
import { orAbort } from '../stream/abort.ts';
import { authenticate, type SessionKind } from './authenticate.ts';
import { connectError } from './connect-error.ts';
import { describeHost, type ConnectionSettings, type HostSettings } from './connection-settings.ts';
import { encryptionsOf, openSocket, type Encryption } from './open-socket.ts';
import { parseServerVersion, type ServerVersion } from './server-version.ts';
import { Wire } from './wire.ts';

/** A session that has just been made. */
export interface OpenedHost {
  readonly host: HostSettings;
  readonly wire: Wire;
  readonly client: Client;
  readonly version: ServerVersion;
}

export interface OpenOptions {
  readonly kind: SessionKind;
  /** Ends the connection whenever it aborts, not only while it is made. */
  readonly signal: AbortSignal;
}

/**
 * Connects to one host and authenticates, within `connectTimeoutMs`; goes from TLS to plain or the
 * other way where `sslmode` says so. Throws `server-unreachable`, `server-denied`, `server-tls`,
 * `server-unsupported`, `connection-lost`, or the signal's reason.
 */
export async function openHost(
  settings: ConnectionSettings,
  host: HostSettings,
  options: OpenOptions,
): Promise<OpenedHost> {
  const { connectTimeoutMs } = settings;
  const deadline = AbortSignal.timeout(connectTimeoutMs === 0 ? NEVER_MS : connectTimeoutMs);
  const first: unknown[] = [];
  for (const encryption of encryptionsOf(settings.tls.mode, host)) {
    try {
      return await attempt(settings, host, { ...options, encryption, deadline });
    } catch (error) {
      options.signal.throwIfAborted();
      if (deadline.aborted) throw timedOut(host, connectTimeoutMs);
      first.push(connectError(error, host));
      if (!mayTryOtherwise(error)) break;
    }
  }
  throw first[0];
}

/** The longest a timer can run: 24 days. */
const NEVER_MS = 2 ** 31 - 1;

async function attempt(
  settings: ConnectionSettings,
  host: HostSettings,
  options: OpenOptions & { readonly encryption: Encryption; readonly deadline: AbortSignal },
): Promise<OpenedHost> {
  const { kind, signal, encryption, deadline } = options;
  const either = AbortSignal.any([signal, deadline]);
  const opened = await openSocket(host, settings.tls, { encryption, signal: either });
  const wire = new Wire(opened, signal);
  try {
    const client = await orAbort(authenticate(wire, settings, { host, kind }), either);
    const version = parseServerVersion(wire.parameters.get('server_version') ?? '');
    return { host, wire, client, version };
  } catch (error) {
    await wire.close();
    throw error;
  }
}

/**
 * A server may refuse only encrypted or only plain connections (SQLSTATE 28000, pg_hba.conf). A
 * wrong password is wrong either way, and is not sent again in the clear.
 */
function mayTryOtherwise(error: unknown): boolean {
  if (error instanceof DatabaseError) return error.code === '28000';
  return isTsbkError(error, 'server-tls');
}

function timedOut(host: HostSettings, timeoutMs: number): TsbkError {
  return new TsbkError(
    'server-unreachable',
    `PostgreSQL at ${describeHost(host)} did not answer within ${timeoutMs / 1000} s`,
    { hint: 'Check PGHOST, PGPORT and firewalls; PGCONNECT_TIMEOUT sets the time.' },
  );
}
