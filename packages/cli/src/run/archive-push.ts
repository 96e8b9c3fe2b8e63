import { runArchivePush as push } from '@tsbk/archive-command/run';
import type { Run } from '../command.ts';

/** `tsbk archive-push PATH`, `tsbk wal-push PATH`: what `tsbk-archive-push` does. */
export const runArchivePush: Run = (context) =>
  push({
    paths: context.positionals,
    settings: context.settings,
    signal: context.signal,
    log: (line) => context.errOut(`${line}\n`),
  });
