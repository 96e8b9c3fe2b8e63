import { runArchivePush as push } from '@tsbk/archive-command/run';
import { untilOrphaned } from '@tsbk/core/engine/parent-watch';
import type { Run } from '../command.ts';

/** `tsbk archive-push PATH`, `tsbk wal-push PATH`: what `tsbk-archive-push` does. */
export const runArchivePush: Run = (context) =>
  untilOrphaned(context.signal, (signal) =>
    push({
      paths: context.positionals,
      settings: context.settings,
      signal,
      log: (line) => context.errOut(`${line}\n`),
    }),
  );
