import { formatDuration } from '@tsbk/core/kernel/duration';
import { EXIT } from '@tsbk/core/kernel/exit';
import { formatInstant, instantToMs } from '@tsbk/core/kernel/instant';
import { openRepository } from '@tsbk/core/engine/open-repository';
import { stringifyJson } from '@tsbk/core/format/json';
import { unfinishedUploads } from '@tsbk/core/repository/unfinished-uploads';
import type { CommandContext, Run } from '../../command.ts';
import { olderThan } from './older-than.ts';

const OLD_MS = 86_400_000;

/** `tsbk st uploads` */
export const runStUploads: Run = async (context) => {
  const { flags, signal, out } = context;
  const removes = flags.on('remove') === true;
  const olderThanMs = olderThan(flags) ?? (removes ? OLD_MS : 0);
  await using repository = await openRepository(context.settings, {
    signal: context.signal,
    report: context.report,
  });
  const json: { key: string; started: string; removed: boolean }[] = [];
  let count = 0;
  for await (const upload of unfinishedUploads(repository, { olderThanMs, signal })) {
    const { key, started } = upload;
    const discards = removes && flags.on('plan') !== true;
    if (discards) await upload.discard({ signal });
    count += 1;
    if (flags.on('json') === true) {
      json.push({ key, started: formatInstant(started), removed: discards });
    } else {
      const ageMs = instantToMs(context.clock.now()) - instantToMs(started);
      out(
        `${verbOf(context)}${key}, begun ${formatInstant(started)}, ${formatDuration(ageMs)} ago`,
      );
    }
  }
  if (flags.on('json') === true) out(stringifyJson(json));
  else if (count === 0) out('there are none');
  return EXIT.ok;
};

function verbOf({ flags }: CommandContext): string {
  if (flags.on('remove') !== true) return '';
  return flags.on('plan') === true ? 'would remove ' : 'removed ';
}
