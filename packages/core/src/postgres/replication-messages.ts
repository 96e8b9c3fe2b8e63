import { TsbkError } from '../kernel/errors.ts';
import type { Instant } from '../kernel/instant.ts';
import { toLsn, type Lsn } from '../kernel/lsn.ts';

/**
 * What a walsender says inside COPY while it streams WAL (PostgreSQL docs, "Streaming Replication
 * Protocol").
 */
export type WalsenderMessage =
  | {
      readonly kind: 'wal';
      /** Of the first byte. */
      readonly lsn: Lsn;
      /** Up to where the server has WAL to send. */
      readonly serverEnd: Lsn;
      /** A view into the message: lent as long as that is. */
      readonly data: Buffer;
    }
  | { readonly kind: 'keepalive'; readonly serverEnd: Lsn; readonly replyWanted: boolean };

/** How far a receiver is: each LSN is that of the last byte and one. */
export interface ReceiverPosition {
  /** Received. */
  readonly write: Lsn;
  /** Stored where it survives the loss of server and receiver; 0 while that is not known. */
  readonly flush: Lsn;
}

const WAL = 0x77; // w
const KEEPALIVE = 0x6b; // k
const STATUS = 0x72; // r
const WAL_HEADER_BYTES = 25;
const KEEPALIVE_BYTES = 18;
const STATUS_BYTES = 34;
/** 2000-01-01T00:00:00Z, from which PostgreSQL counts, in nanoseconds since 1970. */
const POSTGRES_EPOCH_NS = 946_684_800_000_000_000n;

/** Reads the body of a CopyData message. Throws `protocol-violation`. */
export function decodeWalsenderMessage(body: Buffer): WalsenderMessage {
  if (body[0] === WAL && body.length >= WAL_HEADER_BYTES) {
    return {
      kind: 'wal',
      lsn: toLsn(body.readBigUInt64BE(1)),
      serverEnd: toLsn(body.readBigUInt64BE(9)),
      data: body.subarray(WAL_HEADER_BYTES),
    };
  }
  if (body[0] === KEEPALIVE && body.length >= KEEPALIVE_BYTES) {
    return {
      kind: 'keepalive',
      serverEnd: toLsn(body.readBigUInt64BE(1)),
      replyWanted: body[17] === 1,
    };
  }
  throw new TsbkError(
    'protocol-violation',
    `the walsender sent ${body.length} bytes that begin with ${body[0] ?? 'nothing'}`,
    { hint: 'Is there something between tsbk and PostgreSQL that alters the stream?' },
  );
}

/** A standby status update: what the server may forget, and whom it need not wait for any more. */
export function encodeStatus({ write, flush }: ReceiverPosition, now: Instant): Buffer {
  const bytes = Buffer.alloc(STATUS_BYTES);
  bytes[0] = STATUS;
  bytes.writeBigUInt64BE(write, 1);
  bytes.writeBigUInt64BE(flush, 9);
  // Nothing is applied here, and 0 says so.
  bytes.writeBigInt64BE((now - POSTGRES_EPOCH_NS) / 1000n, 25);
  return bytes;
}
