import { formatSegment, type Segment, type TimelineId } from '@tsbk/core/kernel/wal-file';
import { stringifyJson, type JsonValue } from '@tsbk/core/format/json';
import type { CorruptSegment } from '@tsbk/core/wal-audit/check-content';
import { countOf } from '@tsbk/core/wal-audit/coverage';
import type { HealedSegment } from '@tsbk/core/wal-audit/heal';
import type { CheckStatus, IntegrityRow } from '@tsbk/core/wal-audit/integrity';
import { renderTable } from './table.ts';

/** A check of `wal-verify` and its result. The first two are WAL-G's. */
type Check = { readonly status: CheckStatus } & (
  | {
      readonly name: 'integrity';
      readonly rows: readonly IntegrityRow[];
      /** The timeline of the server, if no restore finds the way to it. */
      readonly lacksHistoryOf: TimelineId | undefined;
    }
  | { readonly name: 'timeline'; readonly current: TimelineId; readonly highest: TimelineId }
  | {
      readonly name: 'content';
      readonly corrupt: readonly CorruptSegment[];
      readonly checked: number;
    }
  | {
      readonly name: 'heal';
      readonly healed: readonly HealedSegment[];
      readonly isPlan: boolean;
    }
);

/** Everything that was checked, in the order in which it is shown. */
export interface Verified {
  readonly segmentBytes: number;
  readonly checks: readonly Check[];
}

/** As WAL-G prints it: two lines and a table or two for each check. */
export function verifiedText({ segmentBytes, checks }: Verified): string {
  const name = (segment: Segment): string => formatSegment(segment, segmentBytes);
  return checks
    .flatMap((check) => [
      `[wal-verify] ${check.name} check status: ${check.status}`,
      `[wal-verify] ${check.name} check details:`,
      ...detailLines(check, name),
    ])
    .join('\n');
}

type NameOf = (segment: Segment) => string;

function detailLines(check: Check, name: NameOf): string[] {
  switch (check.name) {
    case 'integrity':
      return [integrityTable(check.rows, name), ...historyLines(check.lacksHistoryOf)];
    case 'timeline':
      return [
        `Highest timeline found in storage: ${check.highest}`,
        `Current cluster timeline: ${check.current}`,
      ];
    case 'content':
      return [
        `Segments read: ${check.checked}`,
        ...check.corrupt.map(({ segment, problem }) => `${name(segment)} is CORRUPT: ${problem}`),
      ];
    case 'heal':
      return check.healed.length === 0 ? ['Nothing is missing.'] : healedLines(check.healed, name);
  }
}

function historyLines(timeline: TimelineId | undefined): string[] {
  if (timeline === undefined) return [];
  return [
    `The archive has no history file of timeline ${timeline} and no backup of it: no restore finds the way there (tsbk wal-verify --heal).`,
  ];
}

const INTEGRITY_TITLES = ['TLI', 'START', 'END', 'SEGMENTS COUNT', 'STATUS'];
/** WAL-G's status is a number in its own eyes. */
const INTEGRITY_RIGHT = new Set(['TLI', 'SEGMENTS COUNT', 'STATUS']);

function integrityTable(rows: readonly IntegrityRow[], name: NameOf): string {
  const cells = rows.map((row) => [
    String(row.timeline),
    name({ timeline: row.timeline, number: row.first }),
    name({ timeline: row.timeline, number: row.last }),
    String(countOf(row)),
    row.status,
  ]);
  return renderTable(INTEGRITY_TITLES, cells, { boxed: true, right: INTEGRITY_RIGHT });
}

/** A line each, but one for all of a stretch of which there is no copy. */
function healedLines(healed: readonly HealedSegment[], name: NameOf): string[] {
  const lines: string[] = [];
  let since: HealedSegment | undefined;
  for (const [index, one] of healed.entries()) {
    const next = healed[index + 1];
    since ??= one;
    const goesOn =
      one.outcome === 'absent' &&
      next?.outcome === 'absent' &&
      next.segment.timeline === one.segment.timeline &&
      next.segment.number === one.segment.number + 1n;
    if (goesOn) continue;
    const to = since === one ? '' : ` to ${name(one.segment)}`;
    lines.push(`${name(since.segment)}${to} ${outcomeText(one)}`);
    since = undefined;
  }
  return lines;
}

function outcomeText({ outcome, where, problem }: HealedSegment): string {
  switch (outcome) {
    case 'stored':
      return `stored from ${where}`;
    case 'already-there':
      return 'has come meanwhile, with the same content';
    case 'proven':
      return `would be stored from ${where}`;
    case 'refused':
      return `REFUSED from ${where}: ${problem}`;
    case 'absent':
      return `NOT FOUND in ${where}`;
  }
}

/** WAL-G's JSON: an object with a member for each check. */
export function verifiedJson({ segmentBytes, checks }: Verified): string {
  const name = (segment: Segment): string => formatSegment(segment, segmentBytes);
  // WAL-G has them in the order of the alphabet.
  const sorted = [...checks].sort((a, b) => (a.name < b.name ? -1 : 1));
  const members = sorted.map((check) => [
    check.name,
    { status: check.status, details: detailsJson(check, name) },
  ]);
  return stringifyJson(Object.fromEntries(members));
}

function detailsJson(check: Check, name: NameOf): JsonValue {
  switch (check.name) {
    case 'integrity':
      // WAL-G says null for none.
      return check.rows.length === 0 ? null : check.rows.map((row) => rowJson(row, name));
    case 'timeline':
      return {
        current_timeline_id: check.current,
        highest_storage_timeline_id: check.highest,
      };
    case 'content':
      return check.corrupt.map(({ segment, problem }) => ({ segment: name(segment), problem }));
    case 'heal':
      return check.healed.map(({ segment, outcome, where, problem }) => ({
        segment: name(segment),
        outcome,
        where,
        ...(problem === undefined ? {} : { problem }),
      }));
  }
}

function rowJson(row: IntegrityRow, name: NameOf): JsonValue {
  return {
    timeline_id: row.timeline,
    start_segment: name({ timeline: row.timeline, number: row.first }),
    end_segment: name({ timeline: row.timeline, number: row.last }),
    segments_count: countOf(row),
    status: row.status,
  };
}
