import { TsbkError } from '../kernel/errors.ts';
import type { Instant } from '../kernel/instant.ts';
import { formatLsn } from '../kernel/lsn.ts';
import { segmentNumberAt } from '../kernel/wal-file.ts';
import {
  hasOwnWal,
  missingName,
  ownSegments,
  wayEnd,
  wayEndLsn,
} from '../repository/wal-way/wal-way.ts';
import { findLate, isLate, type TimeTarget } from './find-late.ts';
import type { Mark } from './find-mark.ts';
import { describeMoment, type Moment } from '../repository/wal-way/moment.ts';
import {
  endOfWay,
  latestTime,
  scanWal,
  transactionsOf,
  type WalScan,
} from '../repository/wal-way/scan-wal.ts';
import { describeTarget, type RecoveryTarget } from './target.ts';

/** Whether recovery from a backup can get to its target with what the archive has. */
export interface Reach {
  /** Where recovery will stop, as far as it is known without replaying. */
  readonly at: Moment | undefined;
  /** Up to where the archive goes; not looked for where the target does not depend on it. */
  readonly archiveEnd: Moment | undefined;
  /** Why the target cannot be reached: `target-unreachable` or `wal-missing`. */
  readonly problem: TsbkError | undefined;
}

export interface ReachRequest {
  readonly target: RecoveryTarget;
  /** When the backup began, by its records. */
  readonly startTime: Instant;
  /** The record that carries the target's name or id, where that was looked for already. */
  readonly mark: Mark | undefined;
  /** A standby may get by streaming what the archive lacks. */
  readonly standby: boolean;
}

/**
 * Whether PostgreSQL will find the target (`recoveryStopsBefore` and `recoveryStopsAfter` in its
 * `xlogrecovery.c`): a target that is never met ends recovery with an error, one before the end of
 * the backup too, and a hole in the archive is taken for its end without any.
 */
export async function judgeReach(scan: WalScan, request: ReachRequest): Promise<Reach> {
  const { target } = request;
  if (!hasOwnWal(scan.way)) {
    const canStream = request.standby && target.kind === 'latest';
    const problem = canStream ? undefined : ownWalMissing(scan);
    return { at: undefined, archiveEnd: undefined, problem };
  }
  if (target.kind === 'immediate') return await judgeImmediate(scan, request.standby);
  const archiveEnd = await endOfWay(scan);
  switch (target.kind) {
    case 'latest':
      return judgeLatest(scan, { archiveEnd, standby: request.standby });
    case 'lsn':
      return await judgeLsn(scan, target, archiveEnd);
    case 'time':
      return await judgeTime(scan, target, { archiveEnd, startTime: request.startTime });
    case 'xid':
    case 'name':
      return judgeMark(scan, target, { archiveEnd, mark: request.mark });
  }
}

/**
 * Recovery notices that it is consistent when it reads the next record, or at once if what made it so
 * is the end of a transaction. A backup of a primary is followed by the switch to a new segment; that
 * of a standby may end with the last record there is.
 */
async function judgeImmediate(scan: WalScan, standby: boolean): Promise<Reach> {
  const { stopLsn, name } = scan.way.backup;
  const at = { lsn: stopLsn, time: undefined };
  const last = ownSegments(scan.way).last;
  // Of an open segment there may be no more than the header.
  const isFollowed = standby || scan.way.run.missing.number > last + 1n;
  if (isFollowed || (await isNoticed(scan, last))) return reached(at, undefined);
  return unreachable(
    `there is no WAL in the archive after ${name}, and recovery would miss its end`,
    {
      archiveEnd: at,
      hint: 'Leave the target out: recovery ends in the same place then. Or archive one more segment (SELECT pg_switch_wal() on the primary).',
    },
  );
}

async function isNoticed(scan: WalScan, segment: bigint): Promise<boolean> {
  const { stopLsn } = scan.way.backup;
  for await (const item of scanWal(scan, { from: segment, others: true })) {
    if (item.kind === 'end') break;
    const endsTransaction = item.kind === 'commit' || item.kind === 'abort';
    if (item.lsn >= stopLsn || (endsTransaction && item.endLsn >= stopLsn)) return true;
  }
  return false;
}

function judgeLatest(
  { way }: WalScan,
  { archiveEnd, standby }: { readonly archiveEnd: Moment; readonly standby: boolean },
): Reach {
  if (!way.run.isHole || standby) return reached(archiveEnd, archiveEnd);
  const name = missingName(way);
  const problem = new TsbkError(
    'wal-missing',
    `the archive has WAL after ${name}, but not ${name} itself`,
    {
      hint: `Recovery would end at ${describeMoment(archiveEnd)} without a word. Bring the segment back, or give a target before that.`,
    },
  );
  return { at: undefined, archiveEnd, problem };
}

async function judgeLsn(scan: WalScan, target: LsnTarget, archiveEnd: Moment): Promise<Reach> {
  const { backup, segmentBytes } = scan.way;
  if (target.lsn < backup.stopLsn) {
    return tooEarly(target, { archiveEnd, earliest: { lsn: backup.stopLsn, time: undefined } });
  }
  if (target.lsn >= wayEndLsn(scan.way)) return tooLate(target, archiveEnd);
  const from = segmentNumberAt(target.lsn, segmentBytes);
  for await (const item of scanWal(scan, { from, others: true })) {
    if (item.kind === 'end') break;
    if (item.lsn < target.lsn) continue;
    return reached({ lsn: target.inclusive ? item.endLsn : item.lsn, time: undefined }, archiveEnd);
  }
  return tooLate(target, archiveEnd);
}

async function judgeTime(
  scan: WalScan,
  target: TimeTarget,
  { archiveEnd, startTime }: { readonly archiveEnd: Moment; readonly startTime: Instant },
): Promise<Reach> {
  const { stopLsn } = scan.way.backup;
  const own = ownSegments(scan.way);
  // Recovery stops at the first transaction that is too late; the backup must not hold it.
  const before = await lastTimeOfBackup(scan);
  if (before === undefined ? target.time < startTime : isLate(target, before)) {
    return tooEarly(target, { archiveEnd, earliest: { lsn: stopLsn, time: before ?? startTime } });
  }
  const late = await findLate(scan, target, { first: own.last, last: wayEnd(scan.way) - 1n });
  if (late === undefined) return tooLate(target, archiveEnd);
  return reached({ lsn: late.lsn, time: target.time }, archiveEnd);
}

function judgeMark(
  { way }: WalScan,
  target: MarkTarget,
  { archiveEnd, mark }: { readonly archiveEnd: Moment; readonly mark: Mark | undefined },
): Reach {
  const { startLsn, stopLsn } = way.backup;
  if (mark === undefined) {
    const range = `from ${formatLsn(startLsn)} to ${formatLsn(archiveEnd.lsn)}`;
    const message = `${describeTarget(target)} is not in the archive ${range}`;
    return unreachable(message, { archiveEnd, hint: endHint(archiveEnd) });
  }
  if (mark.lsn < stopLsn) {
    return tooEarly(target, { archiveEnd, earliest: { lsn: stopLsn, time: undefined } });
  }
  const isBefore = target.kind === 'xid' && !target.inclusive;
  return reached({ lsn: isBefore ? mark.lsn : mark.endLsn, time: mark.time }, archiveEnd);
}

type LsnTarget = Extract<RecoveryTarget, { readonly kind: 'lsn' }>;
type MarkTarget = Extract<RecoveryTarget, { readonly kind: 'xid' | 'name' }>;

/** Time of the last transaction that ended before the backup did; `undefined` if there was none. */
async function lastTimeOfBackup(scan: WalScan): Promise<Instant | undefined> {
  const { startLsn, stopLsn } = scan.way.backup;
  const own = ownSegments(scan.way);
  for (let segment = own.last; segment >= own.first; segment -= 1n) {
    const transactions = await transactionsOf(scan, segment);
    const time = latestTime(transactions.filter(({ lsn }) => lsn >= startLsn && lsn < stopLsn));
    if (time !== undefined) return time;
  }
  return undefined;
}

function reached(at: Moment, archiveEnd: Moment | undefined): Reach {
  return { at, archiveEnd, problem: undefined };
}

function ownWalMissing({ way }: WalScan): TsbkError {
  return new TsbkError(
    'wal-missing',
    `${missingName(way)} is not in the archive, and ${way.backup.name} needs it to become consistent`,
    { hint: 'Bring the segment back, or choose another backup (tsbk backup-list).' },
  );
}

function tooEarly(
  target: RecoveryTarget,
  { earliest, archiveEnd }: { readonly earliest: Moment; readonly archiveEnd: Moment },
): Reach {
  const message = `${describeTarget(target)} is before the end of the backup`;
  const hint = `The earliest point this backup can be restored to is ${describeMoment(earliest)}. Choose an older backup, or LATEST.`;
  return unreachable(message, { archiveEnd, hint });
}

function tooLate(target: RecoveryTarget, archiveEnd: Moment): Reach {
  const message = `${describeTarget(target)} is after the end of the archive`;
  return unreachable(message, { archiveEnd, hint: endHint(archiveEnd) });
}

function endHint(archiveEnd: Moment): string {
  return `The last point that can be reached is ${describeMoment(archiveEnd)}.`;
}

function unreachable(
  message: string,
  { hint, archiveEnd }: { readonly hint: string; readonly archiveEnd: Moment },
): Reach {
  const problem = new TsbkError('target-unreachable', message, { hint });
  return { at: undefined, archiveEnd, problem };
}
