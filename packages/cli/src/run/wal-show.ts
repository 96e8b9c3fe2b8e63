import { EXIT } from '@tsbk/core/kernel/exit';
import { openRepository } from '@tsbk/core/engine/open-repository';
import type { Repository } from '@tsbk/core/repository/repository';
import { dateIntervals } from '@tsbk/core/wal-audit/date-intervals';
import { planIntervals } from '@tsbk/core/wal-audit/intervals';
import { readArchive, type ArchiveState } from '@tsbk/core/wal-audit/read-archive';
import { timelinesOf } from '@tsbk/core/wal-audit/timelines';
import type { CommandContext, Run } from '../command.ts';
import { restorableJson, restorableLines, type Restorable } from '../render/restorable.ts';
import { timelinesJson, timelinesTable, type ShownTimelines } from '../render/timelines.ts';

/** `tsbk wal-show` */
export const runWalShow: Run = async (context) => {
  const { settings, config, signal, report, flags } = context;
  await using repository = await openRepository(settings, { signal, report });
  const backups = flags.on('without-backups') !== true;
  const state = await readArchive(
    repository,
    { assumedSegmentBytes: config.walSegmentBytes },
    { signal, backups },
  );
  warnOf(state, context);
  const shown = { state, timelines: timelinesOf(state.listing, state.histories), backups };
  if (flags.on('detailed-json') === true) {
    await print(timelinesJson(shown), context);
    return EXIT.ok;
  }
  const restorable = await findRestorable(repository, state, context);
  if (flags.on('json') === true) await print(everythingJson(shown, restorable), context);
  else
    context.out(
      [
        timelinesTable(shown),
        ...(backups ? restorableLines(restorable, state.segmentBytes) : []),
      ].join('\n'),
    );
  return EXIT.ok;
};

function* everythingJson(shown: ShownTimelines, restorable: Restorable): Generator<string> {
  yield '{"timelines":';
  yield* timelinesJson(shown);
  yield `,"restorable":${restorableJson(restorable, shown.state.segmentBytes)}}`;
}

async function print(pieces: Iterable<string>, { outBytes }: CommandContext): Promise<void> {
  for (const piece of pieces) if (piece !== '') await outBytes(Buffer.from(piece));
  await outBytes(Buffer.from('\n'));
}

/** What the archive allows, with the times of its ends. */
export async function findRestorable(
  repository: Repository,
  state: ArchiveState,
  { signal, report }: CommandContext,
): Promise<Restorable> {
  const { intervals, useless } = planIntervals(state);
  return { intervals: await dateIntervals(repository, intervals, { signal, report }), useless };
}

/** What could not be read, on standard error. */
export function warnOf({ badHistories, catalog }: ArchiveState, context: CommandContext): void {
  for (const { message } of badHistories) context.errOut(`warning: ${message}\n`);
  for (const { problem } of catalog.broken) {
    context.errOut(`warning: ${problem.message}; this backup is not counted\n`);
  }
}
