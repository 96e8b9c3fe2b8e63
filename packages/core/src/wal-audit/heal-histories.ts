import type { TimelineId } from '../kernel/wal-file.ts';
import { parseHistoryFile } from '../format/history-file.ts';
import { sourceOf } from '../stream/source.ts';
import type { Repository, RunOptions } from '../repository/repository.ts';
import { storeWal } from '../repository/wal-archive.ts';
import { historyName } from '../repository/wal-way/read-history.ts';
import { collect } from '../stream/collect.ts';
import type { CopySource } from './prove-copies.ts';

/** Histories are a few lines. */
const HISTORY_BYTES_MAX = 1024 * 1024;

/**
 * Archives the history files of these timelines that a server has: a promoted standby archives its own
 * only, and without them no restore finds the way. Gives the names of those that were stored. Throws
 * `wal-invalid`, and `wal-conflict` for one that the archive has with other content.
 */
export async function healHistories(
  repository: Repository,
  request: {
    readonly timelines: readonly TimelineId[];
    readonly sources: readonly CopySource[];
  },
  { signal }: RunOptions,
): Promise<string[]> {
  const stored: string[] = [];
  for (const name of request.timelines.map(historyName)) {
    for (const { copies } of request.sources) {
      const content = await copies.read(name, { signal });
      if (content === undefined) continue;
      const bytes = await collect(content, { maxBytes: HISTORY_BYTES_MAX, what: name });
      parseHistoryFile(bytes.toString('utf8'), name);
      await storeWal(repository, { name, source: () => sourceOf(bytes) }, { signal });
      stored.push(name);
      break;
    }
  }
  return stored;
}
