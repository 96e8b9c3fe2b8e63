import { parseBackupName } from '../kernel/backup-name.ts';
import { isSegmentSize } from '../kernel/wal-file.ts';
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
  const opened = name === undefined ? undefined : await openWal(repository, name, { signal });
  if (opened !== undefined) {
    const reader = new ByteReader(opened.content);
    const bytes = parseWalPageHeader(await reader.take(HEADER_BYTES))?.segmentBytes;
    await reader.close();
    if (bytes !== undefined && isSegmentSize(bytes)) return bytes;
  }
  return (await readBackup(repository, backup.name, { signal })).side?.segmentBytes;
}
