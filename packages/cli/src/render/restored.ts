import { formatLsn } from '@tsbk/core/kernel/lsn';
import { formatSize } from '@tsbk/core/kernel/size';
import { stringifyJson } from '@tsbk/core/format/json';
import type { RestoreResult } from '@tsbk/core/restore/fetch';
import { describeTarget } from '@tsbk/core/restore/target';

/** What was restored and what to type next. */
export function restoredText({ plan, files, bytes, inPlace }: RestoreResult): string {
  const lines = [
    `restored  ${plan.backup.name} into ${plan.destination}`,
    `size      ${formatSize(bytes)} in ${files} files`,
    ...inPlaceLines(inPlace),
    `recovery  to ${describeTarget(plan.target)}, from ${formatLsn(plan.backup.startLsn)}`,
    ...plan.tablespaces.map(({ oid, location }) => `tablespace ${oid} at ${location}`),
    `next      pg_ctl -D ${plan.destination} start`,
  ];
  return `${lines.join('\n')}\n`;
}

function inPlaceLines(inPlace: RestoreResult['inPlace']): string[] {
  if (inPlace === undefined) return [];
  const { kept, removed, sparedBytes } = inPlace;
  return [
    `kept      ${formatSize(kept.bytes)} in ${kept.files} files, and ${formatSize(sparedBytes)} of those above`,
    `removed   ${formatSize(removed.bytes)} in ${removed.files} files`,
  ];
}

/** The same for programs; 64-bit numbers are texts. */
export function restoredJson({ plan, files, bytes, inPlace }: RestoreResult): string {
  const { backup } = plan;
  return `${stringifyJson({
    backup: backup.name,
    destination: plan.destination,
    files,
    bytes,
    fetchedBytes: plan.fetchBytes,
    inPlace:
      inPlace === undefined
        ? null
        : {
            kept: { ...inPlace.kept },
            removed: { ...inPlace.removed },
            sparedBytes: inPlace.sparedBytes,
          },
    startLsn: formatLsn(backup.startLsn),
    stopLsn: formatLsn(backup.stopLsn),
    timeline: plan.wal.timeline,
    tablespaces: plan.tablespaces.map(({ oid, location }) => ({ oid, location })),
  })}\n`;
}
