import { EXIT } from '@tsbk/core/kernel/exit';
import { formatSize } from '@tsbk/core/kernel/size';
import { openRepository } from '@tsbk/core/engine/open-repository';
import { stringifyJson } from '@tsbk/core/format/json';
import { planRemoval, removeObjects, type RemovalPlan } from '@tsbk/core/storage-tools/remove';
import type { Run } from '../../command.ts';

/** `tsbk st rm OBJECT` */
export const runStRm: Run = async (context) => {
  const { flags, signal, report, out } = context;
  await using repository = await openRepository(context.settings, {
    signal: context.signal,
    report,
  });
  const plan = await planRemoval(repository, context.positionals[0] ?? '', { signal });
  for (const backup of plan.broken) {
    report({
      kind: 'warning',
      code: 'sentinel-left',
      text: `${backup} stays in the list of backups without what lies in ${plan.name}`,
    });
  }
  const isPlan = flags.on('plan') === true;
  if (!isPlan) await removeObjects(repository, plan, { signal, force: flags.on('force') === true });
  out(flags.on('json') === true ? asJson(plan, !isPlan) : asText(plan, !isPlan));
  return EXIT.ok;
};

function asText({ name, objects, bytes, guarded }: RemovalPlan, done: boolean): string {
  const what = `${name}: ${objects} ${objects === 1 ? 'object' : 'objects'}, ${formatSize(bytes)}`;
  if (done) return `removed ${what}`;
  return `would remove ${what}${guarded ? '; it may belong to backups or WAL: needs --force' : ''}`;
}

function asJson({ name, objects, bytes, guarded, broken }: RemovalPlan, removed: boolean): string {
  return stringifyJson({ name, objects, bytes: String(bytes), guarded, broken, removed });
}
