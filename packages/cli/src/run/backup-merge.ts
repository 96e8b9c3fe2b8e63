import { randomUUID } from 'node:crypto';
import { hostname, tmpdir } from 'node:os';
import { EXIT } from '@tsbk/core/kernel/exit';
import { formatSize } from '@tsbk/core/kernel/size';
import { openLanes } from '@tsbk/core/engine/open-lanes';
import { openRepository } from '@tsbk/core/engine/open-repository';
import { ownProcess } from '@tsbk/core/engine/process-mark';
import { mergeResources } from '@tsbk/core/engine/resources';
import { stringifyJson } from '@tsbk/core/format/json';
import { mergeBackup, type MergeResult } from '@tsbk/core/merge/merge';
import { planMerge, type MergePlan } from '@tsbk/core/merge/plan-merge';
import { BUILD } from '../build-info.ts';
import type { CommandContext, Run } from '../command.ts';

/** `tsbk backup-merge NAME`: a full backup of a delta's moment, made in the repository. */
export const runBackupMerge: Run = async (context) => {
  const { signal, report, config } = context;
  const [backup = 'LATEST'] = context.positionals;
  await using repository = await openRepository(context.settings, { signal, report });
  if (context.flags.on('plan') === true) {
    return answerPlan(context, await planMerge(repository, backup, { signal }));
  }
  await using lanes = openLanes(context.settings, repository, { report });
  report(mergeResources(repository, lanes.width));
  const request = {
    backup,
    runId: randomUUID(),
    hostname: hostname(),
    process: ownProcess(),
    toolVersion: BUILD.version,
    partBytesMax: config.tarBytes,
    scratchDirectory: config.scratchDirectory ?? tmpdir(),
  };
  const result = await mergeBackup({ repository, lanes }, request, { signal, report });
  const isJson = context.flags.on('json') === true;
  context.out(isJson ? `${stringifyJson({ ...result })}\n` : resultText(result));
  return EXIT.ok;
};

/** Says what would be done; what forbids it fails as the merge itself would. */
function answerPlan({ flags, out, report }: CommandContext, plan: MergePlan): number {
  const [problem] = plan.problems;
  if (problem !== undefined) throw problem;
  for (const { code, text } of plan.warnings) report({ kind: 'warning', code, text });
  const { name, fetchBytes } = plan;
  const merged = plan.links.map(({ backup }) => backup);
  const tars = plan.links.reduce((sum, link) => sum + link.tars.length, 0);
  const text = [
    `would make the full backup ${name}`,
    `of        ${merged.join('\n          ')}`,
    `reading   ${formatSize(fetchBytes)} in ${tars} tars, each once`,
    'deleting  nothing',
    '',
  ].join('\n');
  out(flags.on('json') === true ? `${stringifyJson({ name, merged, tars, fetchBytes })}\n` : text);
  return EXIT.ok;
}

function resultText(result: MergeResult): string {
  const { name, merged, files, parts, plainBytes, storedBytes } = result;
  const ratio = (plainBytes / Math.max(1, storedBytes)).toFixed(1);
  return [
    `backup    ${name}`,
    `kind      full, merged of ${merged.length} backups that are still there`,
    `size      ${formatSize(plainBytes)} in ${files} files, stored ${formatSize(storedBytes)} in ${parts} parts (${ratio}:1)`,
    `WAL       ${result.startLsn} to ${result.stopLsn} on timeline ${result.timeline}`,
    '',
  ].join('\n');
}
