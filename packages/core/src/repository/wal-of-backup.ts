import { parseBackupName } from '../kernel/backup-name.ts';
import type { Lsn } from '../kernel/lsn.ts';
import { formatSegment, segmentNumberAt, type TimelineId } from '../kernel/wal-file.ts';
import { mapParallel } from '../stream/parallel.ts';
import type { BackupDetail } from './catalog.ts';
import type { Repository, RunOptions } from './repository.ts';
import { readSegmentSize } from './segment-size.ts';
import { findWal } from './wal-archive.ts';

const LOOKUPS_AT_ONCE = 8;

/**
 * Names of the segments that hold WAL from `startLsn` to `stopLsn`. The stop LSN is the first byte
 * after the last record, so a stop exactly on a segment boundary does not need the segment that
 * begins there.
 */
export function segmentsOfRange(range: {
  readonly startLsn: Lsn;
  readonly stopLsn: Lsn;
  readonly timeline: TimelineId;
  readonly segmentBytes: number;
}): string[] {
  const { startLsn, stopLsn, timeline, segmentBytes } = range;
  const first = segmentNumberAt(startLsn, segmentBytes);
  const lastByte = stopLsn > startLsn ? ((stopLsn - 1n) as Lsn) : startLsn;
  const last = segmentNumberAt(lastByte, segmentBytes);
  const names: string[] = [];
  for (let number = first; number <= last; number += 1n) {
    names.push(formatSegment({ timeline, number }, segmentBytes));
  }
  return names;
}

/**
 * WAL that a backup needs to become consistent; empty when its records do not tell. `segmentBytes`
 * is taken where neither archive nor records know the size of segments.
 */
export async function walOfBackup(
  repository: Repository,
  backup: BackupDetail,
  { signal, segmentBytes: assumed }: RunOptions & { readonly segmentBytes: number },
): Promise<string[]> {
  const { startLsn, stopLsn } = backup.sentinel;
  const segment = parseBackupName(backup.name)?.segment;
  if (startLsn === undefined || stopLsn === undefined || segment === undefined) return [];
  const timeline = Number.parseInt(segment.slice(0, 8), 16);
  const segmentBytes = (await readSegmentSize(repository, backup, { signal })) ?? assumed;
  return segmentsOfRange({ startLsn, stopLsn, timeline, segmentBytes });
}

/** Those of `names` that the archive does not have. */
export async function missingWal(
  repository: Repository,
  names: readonly string[],
  { signal }: RunOptions,
): Promise<string[]> {
  const missing = await mapParallel(names, { width: LOOKUPS_AT_ONCE, signal }, async (name, both) =>
    (await findWal(repository, name, { signal: both })) === undefined ? [name] : [],
  );
  return missing.flat();
}
