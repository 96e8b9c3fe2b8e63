import { parseBackupName } from '../kernel/backup-name.ts';
import { TsbkError } from '../kernel/errors.ts';
import { toLsn, type Lsn } from '../kernel/lsn.ts';
import {
  parseSegment,
  segmentNumberAt,
  type Segment,
  type TimelineId,
} from '../kernel/wal-file.ts';
import type { TimelineHistory } from '../format/history-file.ts';
import { factsOf } from '../repository/backup-facts.ts';
import type { BackupSummary } from '../repository/catalog.ts';
import { historyName } from '../repository/wal-way/read-history.ts';
import { stretchesTo } from '../repository/wal-way/timeline-plan.ts';
import { coverage, type Cover } from './coverage.ts';
import type { ArchiveState } from './read-archive.ts';
import { highestTimeline } from './timelines.ts';

const LSN_MAX = toLsn(0xffff_ffff_ffff_ffffn);

/** What is to be looked at: a way from a backup to what the server writes now. */
export interface AuditRange {
  /** The segment that the server writes; with no server, the one after the archive's last. */
  readonly current: Segment;
  readonly history: TimelineHistory | undefined;
  readonly from: bigint | undefined;
  /** The backup that `from` is of. */
  readonly backup: string | undefined;
  /**
   * The archive has backups, but none that leads here, and no history file that would say where the
   * timeline comes from: no restore finds the way to it.
   */
  readonly isCutOff: boolean;
}

/** The segment that is being written when the server is at `lsn`, which is the next byte. */
export function currentSegment(timeline: TimelineId, lsn: Lsn, segmentBytes: number): Segment {
  const last = lsn > 0n ? ((lsn - 1n) as Lsn) : lsn;
  return { timeline, number: segmentNumberAt(last, segmentBytes) };
}

/** Where the archive ends, for those who cannot ask the server; `undefined` if there is no WAL. */
export function endOfArchive({ listing }: ArchiveState): Segment | undefined {
  const timeline = highestTimeline(listing);
  const ranges = listing.segments.get(timeline);
  const last = ranges?.at(-1)?.last;
  return last === undefined ? undefined : { timeline, number: last + 1n };
}

/**
 * The range from the oldest backup of the way (permanent ones aside, whose later WAL may be gone),
 * or from the named one. Throws `backup-missing`, `target-unreachable`.
 */
export function auditRange(
  state: ArchiveState,
  { current, backupName }: { readonly current: Segment; readonly backupName: string | undefined },
): AuditRange {
  const history = requireReadable(state, current.timeline);
  const range = { current, history };
  if (backupName !== undefined) {
    const backup = state.catalog.backups.find(({ name }) => name === backupName);
    if (backup === undefined) throw noBackup(backupName);
    const segment = segmentOnWay(backup, range, state.segmentBytes);
    if (segment === undefined) throw notOnWay(backupName, current.timeline);
    return { ...range, from: segment.number, backup: backupName, isCutOff: false };
  }
  const oldest = oldestOnWay(state, range);
  const isRoot = current.timeline === 1 || history !== undefined;
  const isCutOff = oldest === undefined && !isRoot && state.catalog.backups.length > 0;
  return { ...range, from: oldest?.number, backup: oldest?.name, isCutOff };
}

function oldestOnWay(
  { catalog, segmentBytes }: ArchiveState,
  range: Pick<AuditRange, 'current' | 'history'>,
): { readonly number: bigint; readonly name: string } | undefined {
  return catalog.backups
    .filter((backup) => !factsOf(backup).permanent)
    .flatMap((backup) => {
      const segment = segmentOnWay(backup, range, segmentBytes);
      return segment === undefined ? [] : [{ number: segment.number, name: backup.name }];
    })
    .reduce<{ readonly number: bigint; readonly name: string } | undefined>(
      (oldest, one) => (oldest !== undefined && oldest.number <= one.number ? oldest : one),
      undefined,
    );
}

/** The history of a timeline; `undefined` if the archive has none. Throws if it cannot be read. */
function requireReadable(
  { histories, listing, badHistories }: ArchiveState,
  timeline: TimelineId,
): TimelineHistory | undefined {
  const history = histories.get(timeline);
  if (history !== undefined || !listing.histories.has(timeline)) return history;
  const name = historyName(timeline);
  throw (
    badHistories.find(({ message }) => message.includes(name)) ??
    new TsbkError(
      'key-missing',
      `${name} cannot be read here, so it is not known where timeline ${timeline} comes from`,
      {
        hint: 'Run it where the private key is.',
      },
    )
  );
}

/**
 * What of the range is there and what is not. Where there is no backup, the way begins with what is archived of it: nothing before it is
 * missed.
 */
export function coversOfRange({ listing, segmentBytes }: ArchiveState, range: AuditRange): Cover[] {
  const { current, history, from } = range;
  const target = { timeline: current.timeline, history };
  const stretches = stretchesTo(target, { first: from ?? 1n, segmentBytes });
  const covers = coverage(stretches, listing, current.number - 1n);
  const begin = from === undefined ? covers.findIndex(({ isThere }) => isThere) : 0;
  return begin === -1 ? [] : covers.slice(begin);
}

/** The segment in which a backup begins, if the current timeline comes from it. */
function segmentOnWay(
  { name }: BackupSummary,
  { current, history }: Pick<AuditRange, 'current' | 'history'>,
  segmentBytes: number,
): Segment | undefined {
  const segment = parseSegment(parseBackupName(name)?.segment ?? '', segmentBytes);
  if (segment === undefined) return undefined;
  const ancestors = history?.ancestors ?? [];
  const ways = [...ancestors, { timeline: current.timeline, switchLsn: LSN_MAX }];
  const at = ways.findIndex(({ timeline }) => timeline === segment.timeline);
  const way = ways[at];
  if (way === undefined) return undefined;
  const begins = segmentNumberAt(ways[at - 1]?.switchLsn ?? toLsn(0), segmentBytes);
  const ends = segmentNumberAt(way.switchLsn, segmentBytes);
  return segment.number >= begins && segment.number <= ends ? segment : undefined;
}

function noBackup(name: string): TsbkError {
  return new TsbkError('backup-missing', `there is no backup ${name}`, {
    hint: 'tsbk backup-list shows what there is.',
  });
}

function notOnWay(name: string, timeline: TimelineId): TsbkError {
  return new TsbkError('target-unreachable', `timeline ${timeline} does not come from ${name}`, {
    hint: 'Give --timeline and --lsn of the timeline that does, or name another backup.',
  });
}
