import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, type ClientConfig } from 'pg';
import {
  freePort,
  launchPostmaster,
  logTail,
  type Postmaster,
  type StopMode,
} from './postmaster.ts';
import type { PostgresVersion } from './installation.ts';
import { scratchPath } from './scratch.ts';
import { giveToServerUser } from './server-user.ts';

/** A running (or stopped) server. `await using` or `close()` removes it. */
export interface Server extends AsyncDisposable {
  readonly version: PostgresVersion;
  readonly dataDir: string;
  /** TCP on 127.0.0.1 and the name of the socket in `socketDir`. */
  readonly port: number;
  readonly host: '127.0.0.1';
  readonly socketDir: string;
  /** Superuser; trusted by the socket. */
  readonly user: 'postgres';
  readonly logFile: string;
  /** The postmaster's process id; of the last one when the server is stopped. */
  readonly pid: number;
  /** Runs SQL as superuser on a session of its own kind, kept open; gives the rows. */
  query<Row extends object = Record<string, unknown>>(
    sql: string,
    params?: readonly unknown[],
  ): Promise<Row[]>;
  /** A connected client (superuser by socket unless told otherwise), ended by `close` at the latest. */
  client(config?: ClientConfig): Promise<Client>;
  /** Stops and starts again; `settings` are added to the command line for good. */
  restart(settings?: Readonly<Record<string, string>>): Promise<void>;
  /** Stops (`fast` if absent; `kill` is SIGKILL for the postmaster) and leaves the directory. */
  stop(mode?: StopMode): Promise<void>;
  /** Starts a stopped server again. */
  start(): Promise<void>;
  /** Stops and removes everything. May be called twice. */
  close(): Promise<void>;
}

export interface ServerOptions {
  readonly version: PostgresVersion;
  readonly dataDir: string;
  readonly env: Readonly<Record<string, string>>;
  readonly settings: Readonly<Record<string, string>>;
  readonly waitFor?: 'connections' | 'end-of-recovery' | undefined;
  readonly timeoutMs?: number | undefined;
  readonly keep?: boolean | undefined;
  readonly database?: string | undefined;
}

/** Starts a server on a directory that belongs to the server's user, and waits until it is up. */
export async function runServer(options: ServerOptions): Promise<Server> {
  const logFile = `${scratchPath('log')}.txt`;
  writeFileSync(logFile, '');
  const socketDir = scratchPath('sock');
  mkdirSync(socketDir, { mode: 0o755 });
  giveToServerUser(socketDir);
  const server = new RunningServer(options, logFile, socketDir);
  try {
    await server.start();
  } catch (error) {
    await server.close();
    throw error;
  }
  return server;
}

/** Methods of `pg`'s client that its types do not have. */
interface KeepAlive {
  ref(): void;
  unref(): void;
}

class RunningServer implements Server {
  readonly version: PostgresVersion;
  readonly dataDir: string;
  readonly host = '127.0.0.1' as const;
  readonly user = 'postgres' as const;
  readonly logFile: string;
  readonly socketDir: string;
  port = 0;
  #options: ServerOptions;
  #postmaster: Postmaster | undefined;
  #session: (Client & KeepAlive) | undefined;
  readonly #clients = new Set<Client>();

  constructor(options: ServerOptions, logFile: string, socketDir: string) {
    this.#options = options;
    this.version = options.version;
    this.dataDir = options.dataDir;
    this.logFile = logFile;
    this.socketDir = socketDir;
  }

  get pid(): number {
    if (this.#postmaster === undefined) throw new Error('the server was never started');
    return this.#postmaster.pid;
  }

  async query<Row extends object>(sql: string, params: readonly unknown[] = []): Promise<Row[]> {
    const session = await this.#openSession();
    session.ref();
    try {
      // Without parameters it is a simple query, which may hold several statements.
      const result = await session.query<Row>(sql, params.length === 0 ? undefined : [...params]);
      return result.rows;
    } finally {
      // Idle, it must not keep the process of a test alive that forgot to close the server.
      session.unref();
    }
  }

  /** A session that ended, because the server crashed, makes way for a new one. */
  async #openSession(): Promise<Client & KeepAlive> {
    if (this.#session !== undefined) return this.#session;
    const session = (await this.client()) as Client & KeepAlive;
    session.once('end', () => {
      if (this.#session === session) this.#session = undefined;
    });
    this.#session = session;
    return session;
  }

  async client(config: ClientConfig = {}): Promise<Client> {
    const client = new Client({
      host: this.socketDir,
      port: this.port,
      user: this.user,
      database: this.#options.database ?? 'postgres',
      ...config,
    });
    // A server that stops ends its sessions; the next query says so, nobody else needs to hear it.
    client.on('error', () => undefined);
    await client.connect();
    this.#clients.add(client);
    client.once('end', () => this.#clients.delete(client));
    return client;
  }

  async start(): Promise<void> {
    // Another process may take the free port before the server does.
    for (let tries = 3; ; tries -= 1) {
      if (this.port === 0 || tries < 3) this.port = await freePort();
      this.#postmaster = await launchPostmaster({
        ...this.#options,
        logFile: this.logFile,
        settings: {
          listen_addresses: this.host,
          port: String(this.port),
          unix_socket_directories: this.socketDir,
          ...this.#options.settings,
        },
      });
      if (await this.#isUp(this.#postmaster)) return;
      const log = logTail(this.logFile);
      if (tries > 1 && log.includes('Address already in use')) continue;
      throw new Error(`PostgreSQL ${this.version} did not start on ${this.dataDir}:\n${log}`);
    }
  }

  async restart(settings: Readonly<Record<string, string>> = {}): Promise<void> {
    await this.stop();
    this.#options = { ...this.#options, settings: { ...this.#options.settings, ...settings } };
    await this.start();
  }

  async stop(mode: StopMode = 'fast'): Promise<void> {
    await this.#endClients();
    await this.#postmaster?.stop(mode);
  }

  async close(): Promise<void> {
    await this.stop('immediate');
    const removed = [this.socketDir, this.logFile];
    if (this.#options.keep !== true) removed.push(this.dataDir);
    for (const path of removed) {
      // Auxiliary processes may outlive a killed postmaster for a moment.
      if (existsSync(path)) rmSync(path, { recursive: true, force: true, maxRetries: 10 });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #endClients(): Promise<void> {
    this.#session?.ref();
    this.#session = undefined;
    await Promise.allSettled([...this.#clients].map((client) => client.end()));
    this.#clients.clear();
  }

  /** Whether the server answers before it exits; throws when it does neither in time. */
  async #isUp(postmaster: Postmaster): Promise<boolean> {
    const timeoutMs = this.#options.timeoutMs ?? 60_000;
    const start = performance.now();
    const deadline = start + timeoutMs;
    while (performance.now() < deadline) {
      if (postmaster.ended() !== undefined) return false;
      if (await this.#answers()) return true;
      // Each question costs the server a process: a recovery that takes long is asked less often.
      await sleep(Math.min(250, 25 + (performance.now() - start) / 20));
    }
    const log = logTail(this.logFile);
    throw new Error(`PostgreSQL ${this.version} was not ready after ${timeoutMs} ms:\n${log}`);
  }

  async #answers(): Promise<boolean> {
    if (!existsSync(`${this.socketDir}/.s.PGSQL.${this.port}`)) return false;
    try {
      const rows = await this.query<{ recovering: boolean }>(
        'select pg_is_in_recovery() as recovering',
      );
      return this.#options.waitFor !== 'end-of-recovery' || rows[0]?.recovering === false;
    } catch {
      this.#session = undefined;
      return false;
    }
  }
}
