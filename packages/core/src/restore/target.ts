import { TsbkError } from '../kernel/errors.ts';
import { formatPostgresTime, type Instant } from '../kernel/instant.ts';
import { formatLsn, parseLsn, type Lsn } from '../kernel/lsn.ts';
import type { TimelineId } from '../kernel/wal-file.ts';
import { parseTargetTime } from './target-time.ts';

/**
 * Up to where recovery goes (PostgreSQL docs, "Recovery Target"). `inclusive` says whether what
 * the target names is still part of the result.
 */
export type RecoveryTarget =
  /** To the end of the archive. */
  | { readonly kind: 'latest' }
  /** No further than the backup needs to be consistent. */
  | { readonly kind: 'immediate' }
  | { readonly kind: 'time'; readonly time: Instant; readonly inclusive: boolean }
  | { readonly kind: 'lsn'; readonly lsn: Lsn; readonly inclusive: boolean }
  /** The lower 32 bits, which is all that WAL records have. */
  | { readonly kind: 'xid'; readonly xid: number; readonly inclusive: boolean }
  /** A name given to `pg_create_restore_point`. */
  | { readonly kind: 'name'; readonly name: string };

/** `latest` and `current` as PostgreSQL means them; a number names one timeline. */
export type TimelineChoice = 'latest' | 'current' | TimelineId;

/** What the server does once the target is reached. */
export type TargetAction = 'pause' | 'promote' | 'shutdown';

/** What the command line gives; absent options are `undefined`. */
export interface TargetTexts {
  readonly time?: string | undefined;
  readonly lsn?: string | undefined;
  readonly xid?: string | undefined;
  readonly name?: string | undefined;
  readonly immediate?: boolean | undefined;
  /** Stop right before what time, LSN or xid name. */
  readonly exclusive?: boolean | undefined;
}

/** `MAXFNAMELEN` of PostgreSQL includes the NUL at the end. */
const NAME_BYTES_MAX = 63;
/** Below this are the ids of no ordinary transaction (`FirstNormalTransactionId`). */
const XID_MIN = 3;
const U64_MAX = 0xffff_ffff_ffff_ffffn;

/**
 * The target that the options name; `latest` if there is none. `localZone` is an IANA name, used
 * only to show how a time without zone could be meant. Throws `usage` for what cannot be read, for
 * two targets at once and for a time without zone.
 */
export function parseTarget(
  texts: TargetTexts,
  { localZone }: { readonly localZone: string },
): RecoveryTarget {
  const inclusive = texts.exclusive !== true;
  const targets: RecoveryTarget[] = [];
  if (texts.time !== undefined) {
    targets.push({ kind: 'time', time: parseTargetTime(texts.time, { localZone }), inclusive });
  }
  if (texts.lsn !== undefined) targets.push({ kind: 'lsn', lsn: targetLsn(texts.lsn), inclusive });
  if (texts.xid !== undefined) targets.push({ kind: 'xid', xid: targetXid(texts.xid), inclusive });
  if (texts.name !== undefined) targets.push({ kind: 'name', name: targetName(texts.name) });
  if (texts.immediate === true) targets.push({ kind: 'immediate' });
  if (targets.length > 1) {
    throw new TsbkError('usage', 'more than one recovery target is given', {
      hint: 'Give one of --target-time, --target-lsn, --target-xid, --target-name, --target-immediate.',
    });
  }
  const target = targets[0] ?? { kind: 'latest' };
  if (!inclusive && !('inclusive' in target)) {
    throw new TsbkError('usage', '--target-exclusive needs a time, an LSN or a transaction id', {
      hint: 'Recovery to a name, to the end of the backup or to the latest WAL has no "right before".',
    });
  }
  return target;
}

/** Reads `--target-timeline`: `latest`, `current` or a number. Throws `usage`. */
export function parseTimelineChoice(text: string): TimelineChoice {
  if (text === 'latest' || text === 'current') return text;
  const number = /^(?:\d{1,10}|0[xX][0-9A-Fa-f]{1,8})$/.test(text) ? Number(text) : 0;
  if (number >= 1 && number <= 0xffff_ffff) return number;
  throw new TsbkError('usage', `--target-timeline ${text} is no timeline`, {
    hint: 'Give latest, current, or a number; the first 8 digits of a WAL file name are one, after 0x.',
  });
}

/** Reads `--target-action`. Throws `usage`. */
export function parseTargetAction(text: string): TargetAction {
  if (text === 'pause' || text === 'promote' || text === 'shutdown') return text;
  throw new TsbkError('usage', `--target-action ${text} is none`, {
    hint: 'Give pause, promote or shutdown.',
  });
}

/** For people: `time 2026-11-22 10:00:00+00 (inclusive)`. */
export function describeTarget(target: RecoveryTarget): string {
  switch (target.kind) {
    case 'latest':
      return 'the end of the archive';
    case 'immediate':
      return 'the end of the backup';
    case 'name':
      return `restore point "${target.name}"`;
    case 'time':
      return `time ${formatPostgresTime(target.time)}${edge(target)}`;
    case 'lsn':
      return `LSN ${formatLsn(target.lsn)}${edge(target)}`;
    case 'xid':
      return `transaction ${target.xid}${edge(target)}`;
  }
}

function edge({ inclusive }: { readonly inclusive: boolean }): string {
  return inclusive ? '' : ', exclusive';
}

function targetLsn(text: string): Lsn {
  const lsn = parseLsn(text);
  if (lsn !== undefined && lsn > 0n) return lsn;
  throw new TsbkError('usage', `--target-lsn ${text} is no LSN`, {
    hint: 'PostgreSQL prints them as 16/B374D848 (pg_current_wal_lsn, pg_waldump).',
  });
}

function targetXid(text: string): number {
  const value = /^\d{1,20}$/.test(text) ? BigInt(text) : 0n;
  const xid = Number(BigInt.asUintN(32, value));
  if (value <= U64_MAX && xid >= XID_MIN) return xid;
  throw new TsbkError('usage', `--target-xid ${text} is no transaction id`, {
    hint: 'Give the number that pg_current_xact_id() or txid_current() returned.',
  });
}

function targetName(text: string): string {
  const bytes = Buffer.byteLength(text);
  if (bytes > 0 && bytes <= NAME_BYTES_MAX && !text.includes('\0')) return text;
  throw new TsbkError('usage', `--target-name must have 1 to ${NAME_BYTES_MAX} bytes`, {
    hint: 'Give the name that pg_create_restore_point was called with.',
  });
}
