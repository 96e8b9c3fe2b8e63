import type { TimelineId } from '../../kernel/wal-file.ts';
import { parseHistoryFile, type TimelineHistory } from '../../format/history-file.ts';
import { collect } from '../../stream/collect.ts';
import type { Repository, RunOptions } from '../repository.ts';
import { openWal } from '../wal-archive.ts';

/** History files are a few lines. */
const HISTORY_BYTES_MAX = 1024 * 1024;

/** Name of a timeline's history file. */
export function historyName(timeline: TimelineId): string {
  return `${timeline.toString(16).toUpperCase().padStart(8, '0')}.history`;
}

/**
 * The archived history of a timeline; `undefined` is proof that the archive has none. Throws
 * `wal-invalid` for one that PostgreSQL would refuse.
 */
export async function readHistory(
  repository: Repository,
  timeline: TimelineId,
  { signal }: RunOptions,
): Promise<TimelineHistory | undefined> {
  const name = historyName(timeline);
  const opened = await openWal(repository, name, { signal });
  if (opened === undefined) return undefined;
  const bytes = await collect(opened.content, { maxBytes: HISTORY_BYTES_MAX, what: name });
  return parseHistoryFile(bytes.toString('utf8'), name);
}
