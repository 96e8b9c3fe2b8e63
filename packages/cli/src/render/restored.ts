import { formatLsn } from '@tsbk/core/kernel/lsn';
import { formatSize } from '@tsbk/core/kernel/size';
import { stringifyJson } from '@tsbk/core/format/json';
import type { RestoreResult } from '@tsbk/core/restore/fetch';
import { describeTarget } from '@tsbk/core/restore/target';

/** What was restored and what to type next. */
export function restoredText({ plan, files, bytes }: RestoreResult): string {
  const lines = [
    `restored  ${plan.backup.name} into ${plan.destination}`,
    `size      ${formatSize(bytes)} in ${files} files`,
    `recovery  to ${describeTarget(plan.target)}, from ${formatLsn(plan.backup.startLsn)}`,
    ...plan.tablespaces.map(({ oid, location }) => `tablespace ${oid} at ${location}`),
    `next      pg_ctl -D ${plan.destination} start`,
  ];
  return `${lines.join('\n')}\n`;
}

/** The same for programs; 64-bit numbers are texts. */
export function restoredJson({ plan, files, bytes }: RestoreResult): string {
  const { backup } = plan;
  return `${stringifyJson({
    backup: backup.name,
    destination: plan.destination,
    files,
    bytes,
    startLsn: formatLsn(backup.startLsn),
    stopLsn: formatLsn(backup.stopLsn),
    timeline: plan.wal.timeline,
    tablespaces: plan.tablespaces.map(({ oid, location }) => ({ oid, location })),
  })}\n`;
}
