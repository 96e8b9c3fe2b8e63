import { parseBackupName } from '../kernel/backup-name.ts';
import { TsbkError } from '../kernel/errors.ts';
import { segmentNumberAt } from '../kernel/wal-file.ts';
import type { Report } from '../ports/report.ts';
import { readBackup } from '../repository/catalog.ts';
import type { Repository, RunOptions } from '../repository/repository.ts';
import { placeOf } from '../repository/wal-way/backup-place.ts';
import { scanWal } from '../repository/wal-way/scan-wal.ts';
import { listWal } from '../repository/wal-way/wal-listing.ts';
import { wayEndLsn } from '../repository/wal-way/wal-way.ts';
import { findWay } from '../restore/find-way.ts';
import type { RestorePlan } from '../restore/plan.ts';
import type { TimelineChoice } from '../restore/target.ts';

/** Further segments fetched while one is searched. */
const AHEAD = 3;

/**
 * Makes sure that recovery touches no directory but its own: `CREATE TABLESPACE` is replayed at the
 * very path that was given, and where the original server runs, that is the directory it works in.
 * Tablespaces that the backup has are elsewhere here, so only those that were made between it and
 * the target count. Reads that WAL once. Throws `extract-failed`.
 */
export async function requireNoNewTablespace(
  repository: Repository,
  { backup: { name }, wal, reach }: RestorePlan,
  {
    timeline,
    signal,
    report,
  }: RunOptions & { readonly timeline: TimelineChoice; readonly report: Report },
): Promise<void> {
  const { segmentBytes } = wal;
  const place = placeOf(await readBackup(repository, name, { signal }), segmentBytes);
  const from = segmentNumberAt(place.startLsn, segmentBytes);
  const first = parseBackupName(name)?.segment ?? '';
  const listing = await listWal(repository, { from: first, segmentBytes }, { signal });
  const request = { backup: place, choice: timeline, listing, segmentBytes };
  const way = await findWay(repository, request, { signal });
  const border = reach.at?.lsn ?? wayEndLsn(way);
  const range = { from, fromLsn: place.startLsn, ahead: AHEAD };
  for await (const item of scanWal({ repository, way, signal, report }, range)) {
    if (item.kind === 'end' || item.lsn > border) return;
    if (item.kind === 'tablespace') throw wouldTouch(item.path);
  }
}

function wouldTouch(path: string): TsbkError {
  return new TsbkError(
    'extract-failed',
    `after the backup a tablespace was made at ${path}, and a server that recovers would write there`,
    { hint: 'Take a backup that was made later, which has the tablespace (tsbk backup-list).' },
  );
}
