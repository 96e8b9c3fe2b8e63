import { isTsbkError } from '../kernel/errors.ts';
import {
  formatSegment,
  segmentNumberAt,
  type Segment,
  type TimelineId,
} from '../kernel/wal-file.ts';
import { parseBackupName } from '../kernel/backup-name.ts';
import { failed, ok, type Finding } from '../check/finding.ts';
import type { ServerFacts } from '../postgres/server-facts.ts';
import { newestBackup } from '../repository/newest-backup.ts';
import type { Repository } from '../repository/repository.ts';
import type { Config } from '../settings/table.ts';
import { confirmMissing } from '../wal-audit/confirm-missing.ts';
import { checkIntegrity, type IntegrityRow } from '../wal-audit/integrity.ts';
import { auditRange, coversOfRange } from '../wal-audit/range.ts';
import { readArchive, type ArchiveState } from '../wal-audit/read-archive.ts';

export interface GapCheck {
  readonly repository: Repository;
  readonly facts: ServerFacts;
  readonly config: Config;
  readonly signal: AbortSignal;
}

const HEAL = 'On this server: tsbk wal-verify --heal';

/**
 * Whether the archive has every segment from the newest backup to its end. After a failover it often
 * has not: what the lost server had not archived, a standby with archive_mode=on does not archive
 * either, and nobody is told (PostgreSQL docs, "Continuous Archiving in Standby").
 */
export async function checkGaps({
  repository,
  facts,
  config,
  signal,
}: GapCheck): Promise<Finding[]> {
  const { timeline, walSegmentBytes: segmentBytes } = facts;
  if (timeline === undefined || repository.cipher.unreadable !== undefined) return [];
  try {
    const backupName = await newestBackup(repository, { signal });
    const from = parseBackupName(backupName)?.segment;
    const listed = await readArchive(
      repository,
      {
        segmentBytes,
        assumedSegmentBytes: config.walSegmentBytes,
        ...(from === undefined ? {} : { from }),
      },
      { signal },
    );
    if (isCutOff(backupName, listed, timeline)) return [cutOff(timeline)];
    const current = behindArchive(listed, timeline);
    const range = auditRange(listed, { current, backupName });
    const covers = coversOfRange(listed, range);
    const { listing } = await confirmMissing(repository, listed, covers, { signal });
    const { rows } = checkIntegrity({
      ...range,
      listing,
      segmentBytes: listed.segmentBytes,
      delayed: 0,
      uploading: config.uploadConcurrency,
    });
    const lost = rows.filter(({ status }) => status === 'MISSING_LOST');
    if (lost.length === 0)
      return [ok('archiving', `there is no gap in the archive since ${backupName}`)];
    return lost.map((row) => gap(row, { current, segmentBytes: listed.segmentBytes }));
  } catch (error) {
    // No backup yet, or none of this timeline: nothing can have a gap.
    const isNone = isTsbkError(error, 'backup-missing') || isTsbkError(error, 'target-unreachable');
    if (!isNone) throw error;
    return [];
  }
}

/** Whether the newest backup is of an older timeline, and no history file leads from there. */
function isCutOff(backupName: string, { listing }: ArchiveState, timeline: TimelineId): boolean {
  const from = Number.parseInt(parseBackupName(backupName)?.segment.slice(0, 8) ?? '', 16);
  return from < timeline && !listing.histories.has(timeline);
}

function cutOff(timeline: TimelineId): Finding {
  return failed(
    'archiving',
    `the archive has no history file of timeline ${timeline}, on which the server is: no restore finds the way from the newest backup to it`,
    HEAL,
  );
}

/** The segment after the last archived one of the server's timeline. */
function behindArchive(
  { listing, histories, segmentBytes }: ArchiveState,
  timeline: TimelineId,
): Segment {
  const last = listing.segments.get(timeline)?.at(-1)?.last;
  if (last !== undefined) return { timeline, number: last + 1n };
  const begins = histories.get(timeline)?.ancestors.at(-1)?.switchLsn;
  return { timeline, number: begins === undefined ? 1n : segmentNumberAt(begins, segmentBytes) };
}

function gap(
  { timeline, first, last }: IntegrityRow,
  { current, segmentBytes }: { readonly current: Segment; readonly segmentBytes: number },
): Finding {
  const name = (number: bigint): string => formatSegment({ timeline, number }, segmentBytes);
  const names = first === last ? name(first) : `${name(first)} to ${name(last)}`;
  const why =
    timeline === current.timeline
      ? 'restores end there'
      : `of timeline ${timeline}, which has ended: its server was lost before it had archived them (failover), and restores end there`;
  return failed('archiving', `the archive lacks ${names} ${why}`, HEAL);
}
