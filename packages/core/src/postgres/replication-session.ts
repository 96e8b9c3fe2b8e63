import { serialize } from 'pg-protocol';
import { isTsbkError, TsbkError } from '../kernel/errors.ts';
import { orAbort } from '../stream/abort.ts';
import { asBuffer } from '../stream/collect.ts';
import type { ConnectionSettings, HostSettings } from './connection-settings.ts';
import { decodeMessage, type ServerMessage, type ServerNotice } from './messages.ts';
import { openFirst } from './open-first.ts';
import { openHost, type OpenedHost } from './open-host.ts';
import { backendKeyOf, requestCancel } from './request-cancel.ts';
import { serverError } from './server-error.ts';
import type { ServerVersion } from './server-version.ts';
import type { Wire } from './wire.ts';

/** A value as the server sends it, `undefined` for NULL. */
export type RawRow = readonly (Buffer | undefined)[];

/** More rows than any replication command has; a server that sends more is not sane. */
const ROWS_MAX = 100_000;
/** A server needs no longer to come to its end after an error. */
const HEAR_OUT_MS = 5000;

/**
 * A walsender session: simple queries and COPY, one command at a time, every message pulled when
 * it is wanted. The server waits while nobody asks; `wal_sender_timeout` does not count for
 * BASE_BACKUP. Lives until it is closed or its signal aborts.
 */
export class ReplicationSession implements AsyncDisposable {
  /** Which of the hosts it is: see `onlyHost`. */
  readonly host: HostSettings;
  readonly version: ServerVersion;
  readonly parameters: ReadonlyMap<string, string>;
  readonly #wire: Wire;
  readonly #cancel: () => Promise<void>;
  #isBusy = false;

  constructor({ host, wire, version }: OpenedHost, cancel: () => Promise<void>) {
    this.#wire = wire;
    this.#cancel = cancel;
    this.host = host;
    this.version = version;
    this.parameters = wire.parameters;
  }

  /** Who is told of notices and warnings, whenever they come. */
  set onNotice(listener: (notice: ServerNotice) => void) {
    this.#wire.onNotice = listener;
  }

  /** Sends a command. Its answer must be read to `ready` by `next` before another one is sent. */
  async send(command: string): Promise<void> {
    this.#isBusy = true;
    await this.#wire.send(serialize.query(command));
  }

  /** Sends bytes inside a COPY in both directions. */
  async sendCopyData(bytes: Uint8Array): Promise<void> {
    await this.#wire.send(serialize.copyData(asBuffer(bytes)));
  }

  /** Ends our direction of a COPY. */
  async sendCopyDone(): Promise<void> {
    await this.#wire.send(serialize.copyDone());
  }

  /** The next message of the answer. Throws `connection-lost`, `protocol-violation`. */
  async next(): Promise<ServerMessage> {
    const message = decodeMessage(await this.#wire.next());
    if (message.kind === 'ready') this.#isBusy = false;
    return message;
  }

  /** One result: its rows, up to `complete`. Throws the server's error, the session still usable. */
  async readResult(what: string): Promise<RawRow[]> {
    const rows: RawRow[] = [];
    for (;;) {
      const message = await this.next();
      if (message.kind === 'complete') return rows;
      if (message.kind === 'error') {
        await this.hearOut(what);
        throw serverError(what, message.notice);
      }
      if (message.kind === 'row' && rows.length < ROWS_MAX) rows.push(message.values);
      else if (message.kind !== 'columns') throw unexpected(what, message.kind);
    }
  }

  /** Reads to where the server awaits a command. Throws the server's error if there is one. */
  async readToReady(what: string): Promise<void> {
    let failure: ServerNotice | undefined;
    for (;;) {
      const message = await this.next();
      if (message.kind === 'ready') break;
      if (message.kind === 'error') failure = message.notice;
    }
    if (failure !== undefined) throw serverError(what, failure);
  }

  /**
   * Reads to where the server awaits a command, after it said what is wrong. One that does not get
   * there in time is left; whatever else goes wrong says less than its error. Throws only the
   * signal's reason.
   */
  async hearOut(what: string): Promise<void> {
    const late = AbortSignal.timeout(HEAR_OUT_MS);
    try {
      await orAbort(this.readToReady(what), late, () => void this.#wire.close());
    } catch (error) {
      const isReason = !isTsbkError(error) || isTsbkError(error, 'interrupted');
      if (isReason && error !== late.reason) throw error;
    }
  }

  /** Runs a command that answers with rows. */
  async query(command: string): Promise<RawRow[]> {
    await this.send(command);
    const rows = await this.readResult(command);
    await this.readToReady(command);
    return rows;
  }

  /** The value of a setting. Needs `pg_read_all_settings` for some. */
  async show(name: string): Promise<string> {
    const [row] = await this.query(`SHOW ${name}`);
    const value = row?.[0];
    if (value === undefined) throw unexpected(`SHOW ${name}`, 'no value');
    return value.toString();
  }

  /** Ends the session, and first the command that the server is still at. */
  async close(): Promise<void> {
    if (this.#isBusy) await this.#cancel();
    this.#isBusy = false;
    await this.#wire.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/**
 * Opens a physical replication session (`replication=true`) at the first host that fits. The role
 * needs LOGIN and REPLICATION, and pg_hba.conf a line for `replication`. Throws what `openHost`
 * throws.
 */
export async function openReplicationSession(
  settings: ConnectionSettings,
  { signal }: { readonly signal: AbortSignal },
): Promise<ReplicationSession> {
  return openFirst(settings, async (host) => {
    const opened = await openHost(settings, host, { kind: 'physical', signal });
    const key = backendKeyOf(opened);
    return new ReplicationSession(opened, async () => {
      if (key !== undefined) await requestCancel(opened.host, settings.tls, key);
    });
  });
}

/** The error for a message that cannot come at this place. */
export function unexpected(what: string, got: string): TsbkError {
  return new TsbkError('protocol-violation', `${what}: the server answered with ${got}`, {
    hint: 'Is there something between tsbk and PostgreSQL that alters the stream?',
  });
}
