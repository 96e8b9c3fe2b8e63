import type { Instant } from '../../kernel/instant.ts';
import type { Lsn } from '../../kernel/lsn.ts';
import { segmentNumberAt, segmentStart } from '../../kernel/wal-file.ts';
import { walRecords } from '../../format/wal/records.ts';
import type { TransactionEnd, WalEnd, WalRecord } from '../../format/wal/wal-record.ts';
import type { Report } from '../../ports/report.ts';
import type { Repository, RunOptions } from '../repository.ts';
import { segmentNames, wayEnd, type WalWay } from './wal-way.ts';
import type { Moment } from './moment.ts';
import { walSource } from './wal-source.ts';

/** What every look into the archive needs. */
export interface WalScan extends RunOptions {
  readonly repository: Repository;
  readonly way: WalWay;
  readonly report: Report;
}

export interface ScanRange {
  /** The segment to begin with; before its first record that begins in it. */
  readonly from: bigint;
  /** Where a record begins, if it is known, in that segment. */
  readonly fromLsn?: Lsn;
  /** The last segment; the end of the way if absent. */
  readonly to?: bigint;
  readonly others?: boolean;
  /** Segments to fetch ahead: for scans that will read on. */
  readonly ahead?: number;
}

/** How far back the time of the archive's last transaction is looked for, in segments. */
const LOOK_BACK_SEGMENTS = 16n;
/** How much WAL may be under way at once. */
const AHEAD_BYTES = 64 * 1024 * 1024;
const AHEAD_MAX = 4;
const PROGRESS_SEGMENTS = 16;

/** The records of a range of the way; the last item says why they end. */
export async function* scanWal(
  scan: WalScan,
  range: ScanRange,
): AsyncGenerator<WalRecord | WalEnd, void, undefined> {
  const { repository, way, signal } = scan;
  const { segmentBytes } = way;
  const names = segmentNames(way, range.from, range.to ?? wayEnd(way) - 1n);
  const ahead = Math.min(range.ahead ?? 0, AHEAD_MAX, Math.floor(AHEAD_BYTES / segmentBytes));
  const counted = withProgress(scan, names);
  yield* walRecords(walSource(repository, counted, { signal, segmentBytes, ahead }), {
    start: segmentStart(range.from, segmentBytes),
    segmentBytes,
    ...(range.fromLsn === undefined ? {} : { from: range.fromLsn }),
    others: range.others ?? false,
  });
}

/** The ends of transactions that begin in one segment, in the order of the WAL. */
export async function transactionsOf(scan: WalScan, segment: bigint): Promise<TransactionEnd[]> {
  const border = segmentStart(segment + 1n, scan.way.segmentBytes);
  const found: TransactionEnd[] = [];
  // The last record may go on in the next segment, which is fetched only then.
  for await (const item of scanWal(scan, { from: segment, others: true })) {
    if (item.kind === 'end' || item.lsn >= border) break;
    if (item.kind === 'commit' || item.kind === 'abort') found.push(item);
    if (item.endLsn >= border) break;
  }
  return found;
}

/** Up to where the archive goes without a hole. */
export async function endOfWay(scan: WalScan): Promise<Moment> {
  const last = wayEnd(scan.way) - 1n;
  const transactions: TransactionEnd[] = [];
  let lsn = segmentStart(last, scan.way.segmentBytes);
  for await (const item of scanWal(scan, { from: last })) {
    if (item.kind === 'commit' || item.kind === 'abort') transactions.push(item);
    if (item.kind === 'end') lsn = item.lsn;
  }
  return { lsn, time: latestTime(transactions) ?? (await timeBefore(scan, last)) };
}

/** Time of the last transaction before a segment, if it is not too far back. */
async function timeBefore(scan: WalScan, segment: bigint): Promise<Instant | undefined> {
  const first = segmentNumberAt(scan.way.backup.startLsn, scan.way.segmentBytes);
  for (let back = 1n; back <= LOOK_BACK_SEGMENTS && segment - back >= first; back += 1n) {
    const time = latestTime(await transactionsOf(scan, segment - back));
    if (time !== undefined) return time;
  }
  return undefined;
}

/** Commit times may be a little out of order: the latest of a segment counts. */
export function latestTime(transactions: readonly TransactionEnd[]): Instant | undefined {
  let latest: Instant | undefined;
  for (const { time } of transactions) if (latest === undefined || time > latest) latest = time;
  return latest;
}

function* withProgress({ report, way }: WalScan, names: Iterable<string>): Generator<string> {
  let count = 0;
  for (const name of names) {
    if (count > 0 && count % PROGRESS_SEGMENTS === 0) {
      report({ kind: 'progress', phase: 'scan', bytes: count * way.segmentBytes });
    }
    count += 1;
    yield name;
  }
}
