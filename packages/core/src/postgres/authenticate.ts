import { Client, type ClientConfig } from 'pg';
import { TLSSocket } from 'node:tls';
import { TsbkError } from '../kernel/errors.ts';
import { authGuard } from './auth-guard.ts';
import { describeHost, type ConnectionSettings, type HostSettings } from './connection-settings.ts';
import { askPassFile } from './pass-file.ts';
import { StartupStream } from './startup-stream.ts';
import type { Wire } from './wire.ts';

/** `physical` is a walsender without a database, `sql` an ordinary session. */
export type SessionKind = 'sql' | 'physical';

/** Nobody needs more before the session is there, and nobody is authenticated yet. */
const STARTUP_FRAME_BYTES_MAX = 64 * 1024;
const SCRAM_ITERATIONS_MAX = 10_000_000;

/** What `pg` takes and its types do not know. */
interface StartupConfig extends ClientConfig {
  readonly replication?: string;
  readonly scramMaxIterations: number;
}

/**
 * Starts a session on a connected wire: `pg` sends the startup packet and answers the server's
 * authentication requests. Of a replication session the wire is left right behind the first
 * ReadyForQuery, for the caller to read on; `pg`'s client then is of no further use. Of an SQL
 * session every message goes on being passed to the client. Rejects with whatever went wrong.
 */
export async function authenticate(
  wire: Wire,
  settings: ConnectionSettings,
  { host, kind }: { readonly host: HostSettings; readonly kind: SessionKind },
): Promise<Client> {
  const stream = new StartupStream(wire.socket);
  const encrypted = wire.socket instanceof TLSSocket;
  const config: StartupConfig = {
    ...clientConfig(settings, host, kind),
    stream: () => stream,
    enableChannelBinding: encrypted && settings.channelBinding !== 'disable',
    scramMaxIterations: SCRAM_ITERATIONS_MAX,
  };
  const client = new Client(config);
  // What happens to the connection between queries is told to the next one.
  client.on('error', () => undefined);
  const check = authGuard({
    channelBinding: settings.channelBinding,
    requireAuth: settings.requireAuth,
    encrypted,
  });
  const connected = client.connect();
  deliverStartup(wire, stream, check)
    .then(() => (kind === 'sql' ? deliverAll(wire, stream) : stream.release()))
    .catch((error: unknown) => stream.destroy(error instanceof Error ? error : undefined));
  await connected;
  return client;
}

/** Every value is given, for `pg` fills gaps from the environment of the process. */
function clientConfig(
  settings: ConnectionSettings,
  host: HostSettings,
  kind: SessionKind,
): ClientConfig & { readonly replication?: string } {
  return {
    host: host.kind === 'socket' ? host.directory : host.name,
    port: host.port,
    user: settings.user,
    database: settings.database,
    password: () => findPassword(settings, host, kind),
    application_name: settings.applicationName,
    options: settings.options ?? ' ',
    ssl: false,
    sslnegotiation: 'postgres',
    connectionTimeoutMillis: 0,
    // All values as text, as the server sends them.
    types: { getTypeParser: () => (value: string) => value },
    ...(kind === 'physical' ? { replication: 'true' } : {}),
  };
}

async function findPassword(
  settings: ConnectionSettings,
  host: HostSettings,
  kind: SessionKind,
): Promise<string> {
  if (settings.password !== undefined) return settings.password;
  const { database, user, passFile } = settings;
  const databases = kind === 'physical' ? ['replication', database] : [database];
  const answer = await askPassFile(passFile, { host, databases, user });
  if (answer.password !== undefined) return answer.password;
  throw new TsbkError(
    'server-denied',
    `PostgreSQL at ${describeHost(host)} asks for the password of role ${JSON.stringify(user)}, and there is none`,
    { hint: answer.ignored ?? `Set PGPASSWORD, or add a line to the password file ${passFile}.` },
  );
}

async function deliverStartup(
  wire: Wire,
  stream: StartupStream,
  check: (frame: { readonly type: string; readonly body: Buffer }) => void,
): Promise<void> {
  for (;;) {
    const frame = await wire.nextWithNotes(STARTUP_FRAME_BYTES_MAX);
    check(frame);
    stream.deliver(frame);
    if (frame.type === 'Z') return;
  }
}

async function deliverAll(wire: Wire, stream: StartupStream): Promise<void> {
  for (;;) stream.deliver(await wire.nextWithNotes());
}
