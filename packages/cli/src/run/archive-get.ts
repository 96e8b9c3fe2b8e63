import { runArchiveGet as get } from '@tsbk/restore-command/run';
import { runPrefetcher } from '@tsbk/restore-command/prefetcher';
import { FETCH_AHEAD, startPrefetcher } from '@tsbk/restore-command/start-prefetcher';
import { EXIT } from '@tsbk/core/kernel/exit';
import { untilOrphaned } from '@tsbk/core/engine/parent-watch';
import type { Run } from '../command.ts';

/**
 * `tsbk archive-get NAME DEST`, `tsbk wal-fetch NAME DEST`: what `tsbk-archive-get` does. The launcher
 * turns proven absence into 1, or 74 under WAL-G's name.
 */
export const runArchiveGet: Run = async (context) => {
  const { settings, cwd: dataDir, environment } = context;
  if (environment[FETCH_AHEAD] !== undefined) {
    await runPrefetcher({ settings, dataDir, signal: context.signal });
    return EXIT.ok;
  }
  return await untilOrphaned(context.signal, (signal) =>
    get({
      positionals: context.positionals,
      settings,
      dataDir,
      signal,
      log: (line) => context.errOut(`${line}\n`),
      askedAs: { text: environment['TSBK_ASKED_AS'] ?? '', beganMs: performance.timeOrigin },
      startPrefetcher,
    }),
  );
};
