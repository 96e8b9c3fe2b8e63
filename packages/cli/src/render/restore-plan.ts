import { formatInstant } from '@tsbk/core/kernel/instant';
import { formatLsn } from '@tsbk/core/kernel/lsn';
import { formatSize } from '@tsbk/core/kernel/size';
import { stringifyJson } from '@tsbk/core/format/json';
import { describeMoment } from '@tsbk/core/repository/wal-way/moment';
import type { PlannedTar } from '@tsbk/core/repository/chain/planned-link';
import type { Amount, ComparedTree } from '@tsbk/core/restore/in-place/compare-tree';
import type { PlannedWal, RestorePlan } from '@tsbk/core/restore/plan';
import { describeTarget } from '@tsbk/core/restore/target';

/** What a restore would do, and whether it can. */
export function planText(plan: RestorePlan, compared?: ComparedTree): string {
  const { backup, wal, reach } = plan;
  const rows: (readonly [string, string])[] = [
    ['backup', `${backup.name}, ${formatInstant(backup.startTime)}`],
    ...chainRows(plan),
    ['into', plan.destination],
    ...plan.tablespaces.map(
      ({ oid, original, location }) =>
        [
          `tablespace ${oid}`,
          `${location}${original === location ? '' : ` (was ${original})`}`,
        ] as const,
    ),
    ...comparedRows(plan, compared),
    ['fetch', `${formatSize(plan.fetchBytes)} in ${tarsOf(plan).length} objects`],
    ['write', plan.writeBytes === undefined ? 'unknown' : formatSize(plan.writeBytes)],
    ['WAL', walText(wal)],
    ['target', describeTarget(plan.target)],
    ['reachable', reach.problem === undefined ? yesText(plan) : `NO: ${reach.problem.message}`],
  ];
  if (reach.archiveEnd !== undefined) rows.push(['archive to', describeMoment(reach.archiveEnd)]);
  for (const { text } of plan.warnings) rows.push(['warning', text]);
  for (const problem of plan.problems) {
    if (problem !== reach.problem) rows.push(['problem', problem.message]);
  }
  const width = Math.max(...rows.map(([label]) => label.length));
  return `${rows.map(([label, value]) => `${label.padEnd(width)}  ${value}`).join('\n')}\n`;
}

/** What a delta builds on, and how much of each is needed. */
function chainRows({ links }: RestorePlan): (readonly [string, string])[] {
  return links.slice(1).map(({ backup, tars }, index) => {
    const bytes = tars.reduce((sum, { storedBytes }) => sum + storedBytes, 0);
    const needed = tars.length === 0 ? 'nothing needed of it' : `${formatSize(bytes)} of it needed`;
    return [index === 0 ? 'on top of' : 'and', `${backup}, ${needed}`];
  });
}

/** What becomes of what is there, if the directory is restored in place. */
function comparedRows(
  { manifest }: RestorePlan,
  compared: ComparedTree | undefined,
): (readonly [string, string])[] {
  if (compared === undefined) return [];
  const amount = ({ files, bytes }: Amount): string => `${files} files, ${formatSize(bytes)}`;
  const kept = amount(compared.kept);
  return [
    [
      'keep',
      manifest === undefined ? `${kept}: the backup has no checksums to compare with` : kept,
    ],
    ['overwrite', `${amount(compared.over)}, the pages that differ`],
    ['remove', amount(compared.removed)],
  ];
}

function tarsOf({ links }: RestorePlan): readonly PlannedTar[] {
  return links.flatMap(({ tars }) => tars);
}

function yesText({ reach }: RestorePlan): string {
  return reach.at === undefined ? 'yes' : `yes, at ${describeMoment(reach.at)}`;
}

function walText({ own, toTarget, available, missing, openBytes }: PlannedWal): string {
  const needed = toTarget ?? own.count;
  const last = available.at(-1)?.last;
  const from = `${needed} segment${needed === 1 ? '' : 's'} needed from ${own.first}`;
  const archived = last === undefined ? from : `${from}, archived without a hole to ${last}`;
  if (openBytes === undefined) return archived;
  return `${archived}, and the first ${formatSize(openBytes)} of ${missing.name} as received`;
}

/** The same for programs; 64-bit numbers are texts. */
export function planJson(plan: RestorePlan, compared?: ComparedTree): string {
  const { backup, wal, reach } = plan;
  return `${stringifyJson({
    backup: backup.name,
    startTime: formatInstant(backup.startTime),
    finishTime: formatInstant(backup.finishTime),
    startLsn: formatLsn(backup.startLsn),
    stopLsn: formatLsn(backup.stopLsn),
    destination: plan.destination,
    tablespaces: plan.tablespaces.map(({ oid, location }) => ({ oid, location })),
    chain: plan.links.map((link) => link.backup),
    objects: plan.links.flatMap(({ backup: of, tars }) =>
      tars.map(({ name, storedBytes }) => ({ backup: of, name, storedBytes })),
    ),
    fetchBytes: plan.fetchBytes,
    writeBytes: plan.writeBytes ?? null,
    inPlace:
      compared === undefined
        ? null
        : {
            kept: { ...compared.kept },
            overwritten: { ...compared.over },
            removed: { ...compared.removed },
          },
    wal: {
      timeline: wal.timeline,
      needed: wal.toTarget ?? wal.own.count,
      first: wal.own.first,
      available: wal.available.map((range) => ({ ...range })),
      missing: { ...wal.missing },
      openBytes: wal.openBytes === undefined ? null : String(wal.openBytes),
    },
    target: describeTarget(plan.target),
    reachable: reach.problem === undefined,
    stopsAt: momentJson(reach.at),
    archiveEnd: momentJson(reach.archiveEnd),
    warnings: plan.warnings.map((warning) => ({ ...warning })),
    problems: plan.problems.map(({ code, message }) => ({ code, message })),
  })}\n`;
}

function momentJson(moment: RestorePlan['reach']['at']) {
  if (moment === undefined) return null;
  const { lsn, time } = moment;
  return { lsn: formatLsn(lsn), time: time === undefined ? null : formatInstant(time) };
}
