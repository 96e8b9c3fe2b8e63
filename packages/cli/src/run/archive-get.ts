import { runArchiveGet as get } from '@tsbk/restore-command/run';
import { untilOrphaned } from '@tsbk/core/engine/parent-watch';
import type { Run } from '../command.ts';

/**
 * `tsbk archive-get NAME DEST`, `tsbk wal-fetch NAME DEST`: what `tsbk-archive-get` does. The launcher
 * turns proven absence into 1, or 74 under WAL-G's name.
 */
export const runArchiveGet: Run = (context) =>
  untilOrphaned(context.signal, (signal) =>
    get({
      positionals: context.positionals,
      settings: context.settings,
      dataDir: context.cwd,
      signal,
      log: (line) => context.errOut(`${line}\n`),
    }),
  );
