import { TsbkError } from '../kernel/errors.ts';
import { formatLsn, parseLsn, type Lsn } from '../kernel/lsn.ts';
import type { TimelineId } from '../kernel/wal-file.ts';
import type { Clock } from '../ports/clock.ts';
import type { ServerMessage, ServerNotice } from './messages.ts';
import {
  decodeWalsenderMessage,
  encodeStatus,
  type ReceiverPosition,
  type WalsenderMessage,
} from './replication-messages.ts';
import { unexpected, type RawRow, type ReplicationSession } from './replication-session.ts';
import { serverError } from './server-error.ts';

/** Where streaming begins. */
export interface StreamStart {
  /** Should be the start of a segment. */
  readonly lsn: Lsn;
  readonly timeline: TimelineId;
  readonly slot: string | undefined;
}

/** Where the timeline ended that was streamed, and which one goes on from there. */
export interface TimelineSwitch {
  readonly timeline: TimelineId;
  readonly lsn: Lsn;
}

export type WalStreamEvent =
  | WalsenderMessage
  /** The session is ready for the next command. */
  | { readonly kind: 'timeline-end'; readonly next: TimelineSwitch }
  /** The server was asked to stop, or it was we who ended the stream. */
  | { readonly kind: 'ended' };

/**
 * Physical streaming, `START_REPLICATION`, to its end: of the timeline, of the server, or by
 * `finish`. The session belongs to it until then. Positions may be sent whenever it pleases, also
 * while nobody reads: a server hears them, so that an unread stream does not run into
 * `wal_sender_timeout`.
 */
export class WalStream {
  readonly #session: ReplicationSession;
  readonly #clock: Clock;
  readonly #what: string;
  #first: ServerMessage | undefined;
  #streaming = false;
  #doneSent = false;

  private constructor(session: ReplicationSession, what: string, clock: Clock) {
    this.#session = session;
    this.#what = what;
    this.#clock = clock;
  }

  /**
   * Begins. Throws `slot-missing`, `slot-lost`, `slot-in-use`, `wal-removed`, `server-error`; what a
   * server notices only when it reads its WAL comes with the first `next`.
   */
  static async begin(
    session: ReplicationSession,
    { lsn, timeline, slot }: StreamStart,
    clock: Clock,
  ): Promise<WalStream> {
    const from = slot === undefined ? '' : `SLOT ${slot} `;
    const what = `START_REPLICATION ${from}PHYSICAL ${formatLsn(lsn)} TIMELINE ${timeline}`;
    const stream = new WalStream(session, what, clock);
    await session.send(what);
    const message = await session.next();
    if (message.kind === 'error') throw await stream.#failure(message.notice);
    if (message.kind === 'copy-both') stream.#streaming = true;
    // Asked for exactly the end of a timeline, a server answers with what follows and sends nothing.
    else if (message.kind === 'columns') stream.#first = message;
    else throw unexpected(what, message.kind);
    return stream;
  }

  /** What the server says next. WAL is lent until the call after that. */
  async next(): Promise<WalStreamEvent> {
    if (!this.#streaming) return await this.#readEnd();
    const message = await this.#session.next();
    if (message.kind === 'copy-data') return decodeWalsenderMessage(message.body);
    if (message.kind === 'error') throw await this.#failure(message.notice);
    // A server that shuts down says no more than this, and closes.
    if (message.kind === 'complete') return { kind: 'ended' };
    if (message.kind !== 'copy-done') throw unexpected(this.#what, message.kind);
    await this.finish();
    this.#streaming = false;
    return await this.#readEnd();
  }

  /** Tells the server how far we are. */
  async reply(position: ReceiverPosition): Promise<void> {
    if (!this.#streaming || this.#doneSent) return;
    await this.#session.sendCopyData(encodeStatus(position, this.#clock.now()));
  }

  /** Asks the server to stop. What is on its way still comes; then `next` gives `ended`. */
  async finish(): Promise<void> {
    if (this.#doneSent) return;
    this.#doneSent = true;
    await this.#session.sendCopyDone();
  }

  async #readEnd(): Promise<WalStreamEvent> {
    const rows: RawRow[] = [];
    let message = this.#first ?? (await this.#session.next());
    for (; message.kind !== 'ready'; message = await this.#session.next()) {
      if (message.kind === 'error') throw await this.#failure(message.notice);
      if (message.kind === 'row' && rows.length === 0) rows.push(message.values);
    }
    const [row] = rows;
    if (row === undefined) return { kind: 'ended' };
    const [timelineText, lsnText] = row.map((value) => value?.toString() ?? '');
    const lsn = parseLsn(lsnText ?? '');
    const timeline = Number(timelineText);
    if (lsn === undefined || !(timeline > 0)) throw unexpected(this.#what, 'no next timeline');
    return { kind: 'timeline-end', next: { timeline, lsn } };
  }

  async #failure(notice: ServerNotice): Promise<TsbkError> {
    const { severity } = notice;
    if (severity !== 'FATAL' && severity !== 'PANIC') await this.#session.hearOut(this.#what);
    return streamError(this.#what, notice);
  }
}

/** SQLSTATEs that mean something of their own in answer to START_REPLICATION. */
const CODES = {
  '42704': { code: 'slot-missing', hint: 'Have it made: tsbk wal-receive --create-slot.' },
  '55000': {
    code: 'slot-lost',
    hint: 'See max_slot_wal_keep_size on the server, and why the receiver was behind.',
  },
  '55006': { code: 'slot-in-use', hint: 'Only one receiver can use a slot: name another one.' },
  '58P01': { code: 'wal-removed', hint: 'A replication slot keeps a server from removing it.' },
} as const;

function streamError(what: string, notice: ServerNotice): TsbkError {
  const error = serverError(what, notice);
  const known = Object.entries(CODES).find(([state]) => state === notice.code)?.[1];
  if (known === undefined) return error;
  return new TsbkError(known.code, error.message, { hint: known.hint, cause: error });
}
