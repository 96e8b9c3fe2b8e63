import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { messageOf, TsbkError } from '@tsbk/core/kernel/errors';
import { EXIT } from '@tsbk/core/kernel/exit';
import { openLanes } from '@tsbk/core/engine/open-lanes';
import { openRepository, type OpenedRepository } from '@tsbk/core/engine/open-repository';
import { restoreCommandText } from '@tsbk/core/engine/restore-command-text';
import { parseJson } from '@tsbk/core/format/json';
import { parseSpec } from '@tsbk/core/repository/tablespace-spec';
import { fetchBackup, type FetchRequest } from '@tsbk/core/restore/fetch';
import type { ComparedTree } from '@tsbk/core/restore/in-place/compare-tree';
import { placeOf, planInPlace } from '@tsbk/core/restore/in-place/plan-in-place';
import type { RestorePlan } from '@tsbk/core/restore/plan';
import {
  mappingOfSpec,
  parseTablespaceMapping,
  type TablespaceMapping,
} from '@tsbk/core/restore/plan-tablespaces';
import { parseWantedNames } from '@tsbk/core/restore/partial/wanted-names';
import { planRestore } from '@tsbk/core/restore/plan-restore';
import { parseTargetAction, parseTimelineChoice } from '@tsbk/core/restore/target';
import type { CommandContext, Run } from '../command.ts';
import { planJson, planText } from '../render/restore-plan.ts';
import { restoredJson, restoredText } from '../render/restored.ts';
import { launcher } from './launcher.ts';
import { targetOf } from './target-of.ts';

/** `tsbk backup-fetch DEST NAME|LATEST` */
export const runBackupFetch: Run = async (context) => {
  const { signal, report, flags, out } = context;
  const json = flags.on('json') === true;
  const request = await requestOf(context);
  await using repository = await openRepository(context.settings, { signal, report });
  if (flags.on('plan') === true) {
    const { plan, compared } = await planOf(context, repository, request);
    out(json ? planJson(plan, compared) : planText(plan, compared));
    // A plan that cannot be carried out is an answer for people and a failure for scripts.
    const [problem] = plan.problems;
    if (problem !== undefined) throw problem;
    return EXIT.ok;
  }
  const most = context.config.downloadConcurrency;
  await using lanes = openLanes(context.settings, repository, { report, most });
  const result = await fetchBackup({ repository, lanes }, request, { signal, report });
  warnOfSecrets(context);
  out(json ? restoredJson(result) : restoredText(result));
  return EXIT.ok;
};

/** The plan; of a restore in place with what was found in the directory, if it is one to restore. */
async function planOf(
  { settings, config, signal, report }: CommandContext,
  repository: OpenedRepository,
  request: FetchRequest,
): Promise<{ readonly plan: RestorePlan; readonly compared?: ComparedTree }> {
  const plan = await planRestore(repository, request, { signal, report });
  const { existing } = plan;
  if (existing === undefined || plan.problems.length > 0) return { plan };
  const most = config.downloadConcurrency;
  await using lanes = openLanes(settings, repository, { report, most });
  // Nothing is flushed, because nothing has to last.
  const place = placeOf(plan, { fsync: false });
  const inputs = { repository, lanes, plan: { ...plan, existing }, place };
  return await planInPlace(inputs, { signal, report });
}

async function requestOf(context: CommandContext): Promise<FetchRequest> {
  const { flags, config, positionals, cwd } = context;
  const [destination = '', backup = ''] = positionals;
  const own = flags.text('restore-command');
  return {
    backup,
    destination: resolve(cwd, destination),
    target: targetOf(context),
    timeline: parseTimelineChoice(flags.text('target-timeline') ?? 'latest'),
    action: parseTargetAction(flags.text('target-action') ?? 'promote'),
    standby: flags.on('standby') ?? false,
    only: onlyOf(context),
    restoreCommand: own ?? restoreCommandText(launcher(), context.settings).text,
    writeRecoverySettings: flags.on('no-recovery-settings') !== true,
    tablespaceMapping: await mappingOf(context),
    segmentBytes: config.walSegmentBytes,
    inPlace: flags.on('delta') ?? false,
    fsync: !config.tarDisableFsync,
  };
}

function onlyOf({ flags }: CommandContext): FetchRequest['only'] {
  const text = flags.text('restore-only');
  if (text === undefined) return undefined;
  if (flags.on('standby') === true) {
    throw new TsbkError('usage', '--restore-only makes no standby: most of its files are missing');
  }
  return parseWantedNames(text);
}

async function mappingOf({ flags, cwd }: CommandContext): Promise<readonly TablespaceMapping[]> {
  const mapped = flags.all('tablespace-mapping').map(parseTablespaceMapping);
  const file = flags.text('restore-spec');
  if (file === undefined) return mapped;
  const path = resolve(cwd, file);
  try {
    const value = parseJson(await readFile(path, 'utf8'), { what: path });
    return [...mapped, ...mappingOfSpec(parseSpec(value, path))];
  } catch (error) {
    throw new TsbkError('usage', `cannot use --restore-spec ${path}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

function warnOfSecrets({ settings, flags, report }: CommandContext): void {
  if (flags.text('restore-command') !== undefined) return;
  if (flags.on('no-recovery-settings') === true) return;
  const { secrets } = restoreCommandText(launcher(), settings);
  if (secrets.length === 0) return;
  report({
    kind: 'warning',
    code: 'secrets-needed',
    text: `the server needs ${secrets.join(', ')} in its environment or in ~/.tsbk.json of its user to fetch WAL`,
  });
}
