import { formatInstant, formatPostgresTime } from '@tsbk/core/kernel/instant';
import { formatLsn } from '@tsbk/core/kernel/lsn';
import { formatSegment } from '@tsbk/core/kernel/wal-file';
import { stringifyJson } from '@tsbk/core/format/json';
import { countOf, type Cover } from '@tsbk/core/wal-audit/coverage';
import type { DatedInterval } from '@tsbk/core/wal-audit/date-intervals';
import type { UselessBackup } from '@tsbk/core/wal-audit/intervals';

/** What can be restored, and what cannot although it looks as if. */
export interface Restorable {
  readonly intervals: readonly DatedInterval[];
  readonly useless: readonly UselessBackup[];
}

/** In plain words, a line each. */
export function restorableLines(
  { intervals, useless }: Restorable,
  segmentBytes: number,
): string[] {
  const lines = intervals.flatMap((interval) => [
    intervalLine(interval),
    ...(interval.hole === undefined ? [] : [holeLine(interval.hole, segmentBytes)]),
  ]);
  if (lines.length === 0) lines.push('There is nothing that can be restored.');
  for (const { name, missing } of useless) {
    const names = missing.map((cover) => rangeText(cover, segmentBytes)).join(', ');
    lines.push(`${name} cannot be restored: it needs ${names}.`);
  }
  return lines;
}

function intervalLine({ way, fromTime, backups, end }: DatedInterval): string {
  const [oldest = '', ...later] = backups;
  const others =
    later.length === 0 ? '' : ` and ${later.length} later backup${later.length === 1 ? '' : 's'}`;
  const until =
    end.time === undefined
      ? `LSN ${formatLsn(end.lsn)} (the end of what is archived without a gap; no time is known)`
      : `${formatPostgresTime(end.time)} (the last transaction before LSN ${formatLsn(end.lsn)})`;
  return (
    `You can restore to any moment from ${formatPostgresTime(fromTime)} (end of ${oldest}${others}) ` +
    `to ${until} on timeline ${way.timeline}.`
  );
}

function holeLine(hole: Cover, segmentBytes: number): string {
  return `  Behind that is a gap: ${rangeText(hole, segmentBytes)}. What is archived after it cannot be reached from there.`;
}

/** Names of a range: `000…04`, or `000…04 to 000…07 (4 segments)`. */
function rangeText(cover: Cover, segmentBytes: number): string {
  const name = (number: bigint): string =>
    formatSegment({ timeline: cover.timeline, number }, segmentBytes);
  if (cover.first === cover.last) return name(cover.first);
  return `${name(cover.first)} to ${name(cover.last)} (${countOf(cover)} segments)`;
}

/** The same for programs; LSNs are texts. */
export function restorableJson({ intervals, useless }: Restorable, segmentBytes: number): string {
  const range = (cover: Cover) => ({
    first: formatSegment({ timeline: cover.timeline, number: cover.first }, segmentBytes),
    last: formatSegment({ timeline: cover.timeline, number: cover.last }, segmentBytes),
  });
  return stringifyJson({
    intervals: intervals.map(({ way, fromTime, backups, end, hole }) => ({
      timeline: way.timeline,
      backups,
      from: { lsn: formatLsn(way.backup.stopLsn), time: formatInstant(fromTime) },
      to: {
        lsn: formatLsn(end.lsn),
        time: end.time === undefined ? null : formatInstant(end.time),
      },
      gap: hole === undefined ? null : range(hole),
    })),
    useless: useless.map(({ name, missing }) => ({ name, missing: missing.map(range) })),
  });
}
