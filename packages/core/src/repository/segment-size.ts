import { parseBackupName } from '../kernel/backup-name.ts';
import { formatSegment, isSegmentSize, segmentNumberAt } from '../kernel/wal-file.ts';
import { ByteReader } from '../format/byte-reader.ts';
import { parseWalPageHeader } from '../format/wal/page-header.ts';
import { readBackup, type BackupSummary } from './catalog.ts';
import type { Repository, RunOptions } from './repository.ts';
import { openWal } from './wal-archive.ts';

const HEADER_BYTES = 40;

/**
 * Bytes of a WAL segment of the cluster: what the first segment of the backup says of itself, or
 * the backup's side record; `undefined` when neither is there or can be read.
 */
export async function readSegmentSize(
  repository: Repository,
  backup: BackupSummary,
  { signal }: RunOptions,
): Promise<number | undefined> {
  // Who can only write cannot know.
  if (repository.cipher.unreadable !== undefined) return undefined;
  const name = parseBackupName(backup.name)?.segment;
  const bytes = name === undefined ? undefined : await segmentBytesOf(repository, name, { signal });
  if (bytes !== undefined) return bytes;
  return (await readBackup(repository, backup.name, { signal })).side?.segmentBytes;
}

/** What an archived segment says of its own size, or a `.partial` of the whole one's. */
export async function segmentBytesOf(
  repository: Repository,
  name: string,
  { signal }: RunOptions,
): Promise<number | undefined> {
  const opened = await openWal(repository, name, { signal });
  if (opened === undefined) return undefined;
  const reader = new ByteReader(opened.content);
  const bytes = parseWalPageHeader(await reader.take(HEADER_BYTES))?.segmentBytes;
  await reader.close();
  return bytes !== undefined && isSegmentSize(bytes) ? bytes : undefined;
}

const SIZES = Array.from({ length: 11 }, (_, n) => 1024 ** 2 * 2 ** n);

/**
 * The size of segments with which a backup's name fits the LSN at which it began. It needs no key and
 * no WAL. `undefined` when no size fits, or several do, as for the first segments of a cluster.
 */
export function segmentSizeByName(backups: readonly BackupSummary[]): number | undefined {
  const left = backups.reduce<readonly number[]>((sizes, backup) => {
    const segment = parseBackupName(backup.name)?.segment;
    const startLsn = backup.sentinel.startLsn ?? backup.metadata?.startLsn;
    if (segment === undefined || startLsn === undefined) return sizes;
    const timeline = Number.parseInt(segment.slice(0, 8), 16);
    return sizes.filter((bytes) => {
      const number = segmentNumberAt(startLsn, bytes);
      return formatSegment({ timeline, number }, bytes) === segment;
    });
  }, SIZES);
  return left.length === 1 ? left[0] : undefined;
}
