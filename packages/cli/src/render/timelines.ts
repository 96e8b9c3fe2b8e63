import { formatLsn, toLsn, type Lsn } from '@tsbk/core/kernel/lsn';
import { formatSegment } from '@tsbk/core/kernel/wal-file';
import { stringifyJson, type JsonObject } from '@tsbk/core/format/json';
import { factsOf } from '@tsbk/core/repository/backup-facts';
import type { BackupSummary } from '@tsbk/core/repository/catalog';
import type { ArchiveState } from '@tsbk/core/wal-audit/read-archive';
import type { TimelineFacts } from '@tsbk/core/wal-audit/timelines';
import { detailObject, plainObject, segmentOf } from './backup-json.ts';
import { renderTable } from './table.ts';

export interface ShownTimelines {
  readonly state: ArchiveState;
  readonly timelines: readonly TimelineFacts[];
  /** Whether backups are shown. */
  readonly backups: boolean;
}

const TITLES = [
  'TLI',
  'PARENT TLI',
  'SWITCHPOINT LSN',
  'START SEGMENT',
  'END SEGMENT',
  'SEGMENT RANGE',
  'SEGMENTS COUNT',
  'STATUS',
];
const NUMBERS = new Set([
  'TLI',
  'PARENT TLI',
  'SWITCHPOINT LSN',
  'SEGMENT RANGE',
  'SEGMENTS COUNT',
  'BACKUPS COUNT',
]);
/** Names of missing segments that are put into one piece of text. */
const NAMES_AT_ONCE = 1000;

/** The table of WAL-G's `wal-show`. */
export function timelinesTable(shown: ShownTimelines): string {
  const { segmentBytes } = shown.state;
  const rows = shown.timelines.map((facts) => [
    String(facts.timeline),
    String(facts.parent?.timeline ?? 0),
    formatLsn(switchLsnOf(facts)),
    nameOf(facts, facts.first, segmentBytes),
    nameOf(facts, facts.last, segmentBytes),
    String(facts.last - facts.first + 1n),
    String(facts.count),
    statusOf(facts),
    ...(shown.backups ? [String(backupsOf(shown, facts).length)] : []),
  ]);
  const head = shown.backups ? [...TITLES, 'BACKUPS COUNT'] : TITLES;
  return renderTable(head, rows, { boxed: true, right: NUMBERS });
}

/** The JSON of WAL-G's `wal-show --detailed-json`, in pieces: a gap may have millions of names. */
export function* timelinesJson(shown: ShownTimelines): Generator<string> {
  yield '[';
  for (const [index, facts] of shown.timelines.entries()) {
    if (index > 0) yield ',';
    yield* timelineJson(shown, facts);
  }
  yield ']';
}

function* timelineJson(shown: ShownTimelines, facts: TimelineFacts): Generator<string> {
  const { segmentBytes } = shown.state;
  yield opened({
    id: facts.timeline,
    parent_id: facts.parent?.timeline ?? 0,
    switch_point_lsn: switchLsnOf(facts),
    start_segment: nameOf(facts, facts.first, segmentBytes),
    end_segment: nameOf(facts, facts.last, segmentBytes),
    segments_count: facts.count,
  });
  yield ',"missing_segments":[';
  yield* missingNames(facts, segmentBytes);
  yield '],';
  const backups = backupsOf(shown, facts).map((backup) => ({
    ...plainObject(backup),
    ...detailObject(backup),
  }));
  yield stringifyJson({
    ...(backups.length === 0 ? {} : { backups }),
    segment_range_size: facts.last - facts.first + 1n,
    status: statusOf(facts),
  }).slice(1);
}

/** The text of an object without its last brace. */
function opened(object: JsonObject): string {
  return stringifyJson(object).slice(0, -1);
}

/** From the newest to the oldest, as WAL-G has them. */
function* missingNames(facts: TimelineFacts, segmentBytes: number): Generator<string> {
  let batch: string[] = [];
  let comma = '';
  for (const { first, last } of [...facts.missing].reverse()) {
    for (let number = last; number >= first; number -= 1n) {
      batch.push(`${comma}"${nameOf(facts, number, segmentBytes)}"`);
      comma = ',';
      if (batch.length < NAMES_AT_ONCE) continue;
      yield batch.join('');
      batch = [];
    }
  }
  yield batch.join('');
}

/** Backups between the first and the last segment of their timeline: by key, backwards, as WAL-G has them. */
function backupsOf({ state }: ShownTimelines, facts: TimelineFacts): BackupSummary[] {
  const size = BigInt(state.segmentBytes);
  return state.catalog.backups
    .filter((backup) => {
      const { startLsn = 0n, finishLsn = 0n } = factsOf(backup);
      const timeline = Number.parseInt(segmentOf(backup).slice(0, 8), 16);
      if (timeline !== facts.timeline) return false;
      return startLsn / size >= facts.first && finishLsn / size <= facts.last;
    })
    .reverse();
}

function switchLsnOf({ parent }: TimelineFacts): Lsn {
  return parent?.switchLsn ?? toLsn(0);
}

function nameOf({ timeline }: TimelineFacts, number: bigint, segmentBytes: number): string {
  return formatSegment({ timeline, number }, segmentBytes);
}

function statusOf({ missing }: TimelineFacts): string {
  return missing.length === 0 ? 'OK' : 'LOST_SEGMENTS';
}
