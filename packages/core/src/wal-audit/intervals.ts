import type { Instant } from '../kernel/instant.ts';
import type { TimelineId } from '../kernel/wal-file.ts';
import { isTsbkError } from '../kernel/errors.ts';
import { finishTimeOf, stopLsnOf } from '../repository/backup-facts.ts';
import type { BackupSummary } from '../repository/catalog.ts';
import { placeOf } from '../repository/wal-way/backup-place.ts';
import {
  planRun,
  planStretches,
  type TimelineRange,
  type TimelineStretch,
} from '../repository/wal-way/timeline-plan.ts';
import { ownSegments, wayEnd, type WalWay } from '../repository/wal-way/wal-way.ts';
import { coverage, type Cover } from './coverage.ts';
import type { ArchiveState } from './read-archive.ts';

/** A stretch of time that can be restored to, every moment of it. */
export interface Interval {
  /** The way from its oldest backup: as far as `way.run` goes. */
  readonly way: WalWay;
  /** When that backup was complete. */
  readonly fromTime: Instant;
  /** Backups that lead to the same end, the oldest first. */
  readonly backups: readonly string[];
  /** What is missing behind it where the archive has more of this way: it ends too early. */
  readonly hole: Cover | undefined;
}

/** A backup that does not get consistent: some of its own WAL is missing. */
export interface UselessBackup {
  readonly name: string;
  readonly missing: readonly Cover[];
}

export interface Intervals {
  readonly intervals: readonly Interval[];
  readonly useless: readonly UselessBackup[];
}

interface Candidate {
  readonly backup: BackupSummary;
  readonly stretches: readonly TimelineStretch[];
  readonly way: WalWay;
}

/** Which moments can be restored to, on each timeline that a backup leads to. Reads nothing. */
export function planIntervals(state: ArchiveState): Intervals {
  const candidates = timelinesToReach(state).flatMap((timeline) =>
    state.catalog.backups.flatMap((backup) => candidateOf(state, backup, timeline) ?? []),
  );
  const whole = candidates.filter(({ way }) => wayEnd(way) > ownSegments(way).last);
  const groups = new Map<string, Candidate[]>();
  for (const candidate of whole) {
    const { timeline, run } = candidate.way;
    const key = `${timeline}/${run.missing.timeline}/${run.missing.number}`;
    groups.set(key, [...(groups.get(key) ?? []), candidate]);
  }
  const found = [...groups.values()].flatMap((group) => intervalOf(group, state) ?? []);
  return {
    intervals: found.filter((one) => !found.some((other) => isPartOf(one, other))),
    useless: uselessOf(candidates, new Set(whole.map(({ backup }) => backup.name)), state),
  };
}

function timelinesToReach({ listing, histories }: ArchiveState): TimelineId[] {
  return [...new Set([...listing.segments.keys(), ...histories.keys()])].sort((a, b) => a - b);
}

/** `undefined` if the timeline does not come from this backup, or its records say too little. */
function candidateOf(
  { listing, histories, segmentBytes }: ArchiveState,
  backup: BackupSummary,
  timeline: TimelineId,
): Candidate | undefined {
  if (stopLsnOf(backup) === undefined) return undefined;
  try {
    const place = placeOf(backup, segmentBytes);
    const target = { timeline, history: histories.get(timeline) };
    const stretches = planStretches(place, target, segmentBytes);
    const run = planRun(stretches, listing);
    return {
      backup,
      stretches,
      way: { backup: place, segmentBytes, timeline, run, hasPartial: false, open: undefined },
    };
  } catch (error) {
    if (isTsbkError(error, 'target-unreachable') || isTsbkError(error, 'record-invalid'))
      return undefined;
    throw error;
  }
}

function intervalOf(group: readonly Candidate[], state: ArchiveState): Interval | undefined {
  const sorted = [...group].sort((a, b) => (a.way.backup.stopLsn < b.way.backup.stopLsn ? -1 : 1));
  const [oldest] = sorted;
  if (oldest === undefined) return undefined;
  const { way, stretches, backup } = oldest;
  return {
    way,
    fromTime: finishTimeOf(backup),
    backups: sorted.map(
      ({
        way: {
          backup: { name },
        },
      }) => name,
    ),
    hole: way.run.isHole ? firstHole(stretches, state) : undefined,
  };
}

function firstHole(stretches: readonly TimelineStretch[], state: ArchiveState): Cover | undefined {
  return coverage(stretches, state.listing, lastOf(stretches, state)).find(
    ({ isThere }) => !isThere,
  );
}

/** The last segment of a way's timelines that the archive has. */
function lastOf(stretches: readonly TimelineStretch[], { listing }: ArchiveState): bigint {
  let last = 0n;
  for (const { timeline } of stretches) {
    const end = listing.segments.get(timeline)?.at(-1)?.last ?? 0n;
    if (end > last) last = end;
  }
  return last;
}

/** Whether another interval goes through everything that this one has: its timeline's, up to a switch. */
function isPartOf(one: Interval, other: Interval): boolean {
  if (one === other || one.way.timeline === other.way.timeline) return false;
  return one.way.run.ranges.every((range) =>
    other.way.run.ranges.some((wider) => contains(wider, range)),
  );
}

function contains(wider: TimelineRange, range: TimelineRange): boolean {
  return (
    wider.timeline === range.timeline && wider.first <= range.first && range.last <= wider.last
  );
}

function uselessOf(
  candidates: readonly Candidate[],
  good: ReadonlySet<string>,
  state: ArchiveState,
): UselessBackup[] {
  const useless = new Map<string, UselessBackup>();
  for (const { backup, way, stretches } of candidates) {
    if (good.has(backup.name) || useless.has(backup.name)) continue;
    const own = coverage(stretches, state.listing, ownSegments(way).last);
    useless.set(backup.name, { name: backup.name, missing: own.filter((one) => !one.isThere) });
  }
  return [...useless.values()];
}
