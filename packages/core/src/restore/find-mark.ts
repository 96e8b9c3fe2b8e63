import type { Lsn } from '../kernel/lsn.ts';
import { segmentNumberAt } from '../kernel/wal-file.ts';
import type { RestorePoint, TransactionEnd, WalRecord } from '../format/wal/wal-record.ts';
import { wayEndLsn } from '../repository/wal-way/wal-way.ts';
import { scanWal, type WalScan } from '../repository/wal-way/scan-wal.ts';
import type { RecoveryTarget } from './target.ts';

/** The record at which recovery to a name or a transaction stops. */
export type Mark = RestorePoint | TransactionEnd;

type MarkTarget = Extract<RecoveryTarget, { readonly kind: 'xid' | 'name' }>;

/** Further segments fetched while one is searched. */
const AHEAD = 3;

/**
 * Searches the WAL from a backup's start for the first record that carries the target, as recovery
 * will meet it. `before` ends the search; without it the end of the archive does. Every segment is
 * fetched once.
 */
export async function findMark(
  scan: WalScan,
  target: MarkTarget,
  { before }: { readonly before?: Lsn | undefined } = {},
): Promise<Mark | undefined> {
  const { backup, segmentBytes } = scan.way;
  const from = segmentNumberAt(backup.startLsn, segmentBytes);
  const border = minOf(wayEndLsn(scan.way), before);
  const to = (border - 1n) / BigInt(segmentBytes);
  if (to < from) return undefined;
  const records = scanWal(scan, { from, fromLsn: backup.startLsn, to, ahead: AHEAD });
  for await (const item of records) {
    if (item.kind === 'end' || item.lsn >= border) return undefined;
    const mark = asMark(item, target);
    if (mark !== undefined) return mark;
  }
  return undefined;
}

function asMark(record: WalRecord, target: MarkTarget): Mark | undefined {
  if (record.kind === 'restore-point') {
    return target.kind === 'name' && record.name === target.name ? record : undefined;
  }
  if (record.kind !== 'commit' && record.kind !== 'abort') return undefined;
  return target.kind === 'xid' && record.xid === target.xid ? record : undefined;
}

function minOf(a: Lsn, b: Lsn | undefined): Lsn {
  return b === undefined || a < b ? a : b;
}
