import { toInstant, type Instant } from '../../kernel/instant.ts';
import type { Lsn } from '../../kernel/lsn.ts';
import type { WalRecord } from './wal-record.ts';

/** A record whose CRC is right. */
export interface RawRecord {
  readonly lsn: Lsn;
  readonly endLsn: Lsn;
  /** `xl_rmid`, `xl_info` and `xl_xid` of its header. */
  readonly manager: number;
  readonly info: number;
  readonly xid: number;
  /** What follows the header, where `isDecoded` asks for it; otherwise empty. */
  readonly body: Uint8Array;
  /** `xlp_magic` of its page, which tells the version of PostgreSQL. */
  readonly magic: number;
}

/** Resource managers (`src/include/access/rmgrlist.h`) and their operations. */
const XLOG = { manager: 0, mask: 0xf0, switch: 0x40, restorePoint: 0x70 };
const XACT = {
  manager: 1,
  mask: 0x70,
  commit: 0x00,
  abort: 0x20,
  commitPrepared: 0x30,
  abortPrepared: 0x40,
  hasInfo: 0x80,
};
const TABLESPACE = { manager: 5, mask: 0xf0, create: 0x00 };
/** Headers before a record's main data (`src/include/access/xlogrecord.h`). */
const DATA_SHORT = 255;
const DATA_LONG = 254;
const ORIGIN = 253;
const TOPLEVEL_XID = 252;
/** Bits of `xinfo` (`src/include/access/xact.h`). */
const HAS_DATABASE = 1 << 0;
const HAS_SUBTRANSACTIONS = 1 << 1;
const HAS_RELATIONS = 1 << 2;
const HAS_INVALIDATIONS = 1 << 3;
const HAS_TWO_PHASE = 1 << 4;
const HAS_DROPPED_STATS = 1 << 8;
/** From PostgreSQL 18 on, an entry of dropped statistics is four bytes longer. */
const MAGIC_18 = 0xd118;
const RESTORE_POINT_NAME_BYTES = 64;
const UNIX_EPOCH_TO_2000_US = 946_684_800_000_000n;

/** Whether this record's body is needed to decode it. */
export function isDecoded(manager: number, info: number): boolean {
  if (manager === XLOG.manager) return (info & XLOG.mask) === XLOG.restorePoint;
  return isTablespace(manager, info) || isTransaction(manager, info);
}

function isTransaction(manager: number, info: number): boolean {
  return manager === XACT.manager && transactionKind(info) !== undefined;
}

function isTablespace(manager: number, info: number): boolean {
  return manager === TABLESPACE.manager && (info & TABLESPACE.mask) === TABLESPACE.create;
}

/** Whether this record ends its segment (`pg_switch_wal`, `archive_timeout`). */
export function isSwitch(manager: number, info: number): boolean {
  return manager === XLOG.manager && (info & XLOG.mask) === XLOG.switch;
}

/** What a record means to recovery. One that should be decodable and is not counts as `other`. */
export function decodeRecord(raw: RawRecord): WalRecord {
  const { lsn, endLsn, manager, info } = raw;
  if (isSwitch(manager, info)) return { kind: 'switch', lsn, endLsn };
  const data = isDecoded(manager, info) ? mainData(raw.body) : undefined;
  const decoded = data === undefined ? undefined : decode(raw, data);
  return decoded ?? { kind: 'other', lsn, endLsn };
}

function decode(raw: RawRecord, data: DataView): WalRecord | undefined {
  const { lsn, endLsn } = raw;
  if (data.byteLength < 8) return undefined;
  if (isTablespace(raw.manager, raw.info)) return tablespace(raw, data);
  const time = timestamp(data);
  if (raw.manager === XLOG.manager) {
    return { kind: 'restore-point', lsn, endLsn, time, name: restorePointName(data) };
  }
  const transaction = transactionKind(raw.info);
  if (transaction === undefined) return undefined;
  const { kind, prepared } = transaction;
  const xid = prepared ? preparedXid(raw, data) : raw.xid;
  return xid === undefined ? undefined : { kind, lsn, endLsn, time, xid };
}

function transactionKind(
  info: number,
): { readonly kind: 'commit' | 'abort'; readonly prepared: boolean } | undefined {
  switch (info & XACT.mask) {
    case XACT.commit:
      return { kind: 'commit', prepared: false };
    case XACT.commitPrepared:
      return { kind: 'commit', prepared: true };
    case XACT.abort:
      return { kind: 'abort', prepared: false };
    case XACT.abortPrepared:
      return { kind: 'abort', prepared: true };
    default:
      return undefined;
  }
}

/** The part of the body after its headers; `undefined` if a block reference comes first. */
function mainData(body: Uint8Array): DataView | undefined {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  let at = 0;
  while (at + 1 < body.length) {
    const id = view.getUint8(at);
    if (id === DATA_SHORT) return tail(view, at + 2, view.getUint8(at + 1));
    if (id === DATA_LONG && at + 5 <= body.length) {
      return tail(view, at + 5, view.getUint32(at + 1, true));
    }
    if (id === ORIGIN) at += 3;
    else if (id === TOPLEVEL_XID) at += 5;
    else return undefined;
  }
  return undefined;
}

function tail(view: DataView, from: number, bytes: number): DataView | undefined {
  if (from + bytes !== view.byteLength) return undefined;
  return new DataView(view.buffer, view.byteOffset + from, bytes);
}

/** `TimestampTz`: microseconds since 2000-01-01 00:00:00 UTC. */
function timestamp(data: DataView): Instant {
  return toInstant((data.getBigInt64(0, true) + UNIX_EPOCH_TO_2000_US) * 1000n);
}

/** `xl_tblspc_create_rec`: its OID and its directory, ended by NUL, which is empty for one in place. */
function tablespace({ lsn, endLsn }: RawRecord, data: DataView): WalRecord {
  const bytes = Buffer.from(data.buffer, data.byteOffset + 4, data.byteLength - 4);
  const nul = bytes.indexOf(0);
  const path = bytes.toString('utf8', 0, nul === -1 ? bytes.length : nul);
  return { kind: 'tablespace', lsn, endLsn, oid: data.getUint32(0, true), path };
}

/** `xl_restore_point`: a time and a name of 64 bytes, ended by NUL. */
function restorePointName(data: DataView): string {
  const bytes = new Uint8Array(
    data.buffer,
    data.byteOffset + 8,
    Math.min(RESTORE_POINT_NAME_BYTES, data.byteLength - 8),
  );
  const nul = bytes.indexOf(0);
  return Buffer.from(nul === -1 ? bytes : bytes.subarray(0, nul)).toString('utf8');
}

/**
 * Transaction id of `COMMIT PREPARED` and `ROLLBACK PREPARED`: their records are written by another
 * transaction or none, and name it after lists that must be skipped (`ParseCommitRecord`,
 * `ParseAbortRecord`).
 */
function preparedXid(raw: RawRecord, data: DataView): number | undefined {
  if ((raw.info & XACT.hasInfo) === 0 || data.byteLength < 12) return undefined;
  const has = data.getUint32(8, true);
  let at = 12;
  const skipList = (itemBytes: number): void => {
    at += at + 4 <= data.byteLength ? 4 + data.getUint32(at, true) * itemBytes : data.byteLength;
  };
  if ((has & HAS_DATABASE) !== 0) at += 8;
  if ((has & HAS_SUBTRANSACTIONS) !== 0) skipList(4);
  if ((has & HAS_RELATIONS) !== 0) skipList(12);
  if ((has & HAS_DROPPED_STATS) !== 0) skipList(raw.magic >= MAGIC_18 ? 16 : 12);
  if ((has & HAS_INVALIDATIONS) !== 0) skipList(16);
  if ((has & HAS_TWO_PHASE) === 0 || at + 4 > data.byteLength) return undefined;
  return data.getUint32(at, true);
}
