import { TsbkError } from '../kernel/errors.ts';
import { formatLsn, parseLsn, type Lsn } from '../kernel/lsn.ts';
import { parseWalFileName, type TimelineId } from '../kernel/wal-file.ts';

/** Where a timeline comes from, as its history file tells (`src/backend/access/transam/timeline.c`). */
export interface TimelineHistory {
  readonly timeline: TimelineId;
  /** From the first timeline to the direct parent. */
  readonly ancestors: readonly TimelineSwitch[];
}

/** The end of a timeline in the history of another one. */
export interface TimelineSwitch {
  readonly timeline: TimelineId;
  /** WAL from here on is not of this timeline. */
  readonly switchLsn: Lsn;
  /** For people: why there is a new timeline. */
  readonly reason: string;
}

/**
 * Reads a history file by PostgreSQL's rules: `parent TAB switch-point TAB reason` lines, oldest
 * first; blank lines and comments (`#`) are let go. `name` is the file's (`00000002.history`).
 * Throws `wal-invalid` where PostgreSQL would refuse to recover.
 */
export function parseHistoryFile(text: string, name: string): TimelineHistory {
  const file = parseWalFileName(name);
  if (file?.kind !== 'history') throw invalid(name, 'the name is none of a history file');
  const ancestors: TimelineSwitch[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    if (/^\s*(?:#|$)/.test(line)) continue;
    const ancestor = parseLine(line);
    if (ancestor === undefined) throw invalid(name, `line ${index + 1} cannot be read`);
    const before = ancestors.at(-1)?.timeline ?? 0;
    if (ancestor.timeline <= before || ancestor.timeline >= file.timeline) {
      throw invalid(name, `line ${index + 1}: timelines must increase up to ${file.timeline}`);
    }
    ancestors.push(ancestor);
  }
  if (ancestors.length === 0) throw invalid(name, 'no timeline in it');
  return { timeline: file.timeline, ancestors };
}

/** The text of a history file, as PostgreSQL writes it but for comments. */
export function formatHistoryFile(history: TimelineHistory): string {
  return history.ancestors
    .map(({ timeline, switchLsn, reason }) => `${timeline}\t${formatLsn(switchLsn)}\t${reason}\n`)
    .join('\n');
}

function parseLine(line: string): TimelineSwitch | undefined {
  const match = /^\s*(\d{1,10})\s+([0-9A-Fa-f]+\/[0-9A-Fa-f]+)(?:\s+(.*))?$/.exec(line);
  const switchLsn = parseLsn(match?.[2] ?? '');
  if (match === null || switchLsn === undefined) return undefined;
  return { timeline: Number(match[1]), switchLsn, reason: (match[3] ?? '').trimEnd() };
}

function invalid(name: string, problem: string): TsbkError {
  return new TsbkError('wal-invalid', `timeline history file ${name}: ${problem}`, {
    hint: 'Compare it with the file of this name in pg_wal of a server on that timeline.',
  });
}
