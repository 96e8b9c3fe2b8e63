import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { EXIT } from '@tsbk/core/kernel/exit';
import { TsbkError } from '@tsbk/core/kernel/errors';
import { getWal } from '@tsbk/core/archive/get';
import { systemClock } from '@tsbk/core/engine/clock';
import { describeError } from '@tsbk/core/engine/describe-error';
import { openRepository } from '@tsbk/core/engine/open-repository';
import type { LoadedSettings } from '@tsbk/core/settings/load';
import { readWalMark } from '@tsbk/core/cluster/wal-mark';

/** What a run of the command is given; nothing is taken from the process. */
export interface GetRun {
  /** The arguments after the options: `%f` and `%p`. */
  readonly positionals: readonly string[];
  readonly settings: LoadedSettings;
  /** The current directory: the server's data directory. */
  readonly dataDir: string;
  /** One line to standard error, which is the server's log. */
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}

/**
 * What the launcher turns into 1 (74 under WAL-G's name): proven absence, by a code that no crash,
 * loader or shell uses. Node.js exits with 1 for a damaged installation.
 */
export const PROVEN_ABSENT = 44;

/** PostgreSQL takes 1…125 as "not there": recovery ends and the database opens. */
const CANNOT_KNOW = 200;

/**
 * The exit code for "cannot know": above 125 it stops recovery, and a restart of the server goes on
 * from there. A standby would be shut down by it, but asks again by itself after a failure, so
 * there it is 75.
 */
export function cannotKnowExit(dataDir: string): number {
  return existsSync(join(dataDir, 'standby.signal')) ? EXIT.temporary : CANNOT_KNOW;
}

/**
 * `restore_command`: fetches one WAL file and answers with the exit code. 0 means verified and in
 * place, `PROVEN_ABSENT` means proven absent; whatever else happens must not end a recovery.
 */
export async function runArchiveGet(run: GetRun): Promise<number> {
  const { dataDir, signal, settings } = run;
  const { config } = settings;
  try {
    const [name, destination] = run.positionals;
    if (name === undefined || destination === undefined || run.positionals.length !== 2) {
      throw new TsbkError(
        'usage',
        `a name and a destination are needed, not ${run.positionals.length}`,
        {
          hint: "restore_command = 'tsbk-archive-get %f %p'",
        },
      );
    }
    await using repository = await openRepository(settings, {
      // The patience of `getWal` is the budget; a second one below it would only add to it.
      retryBudgetMs: 0,
      report: () => {},
    });
    const request = {
      name,
      destination,
      patienceMs: config.getPatienceMs,
      mustExist: await readWalMark(dataDir),
    };
    const report = (event: { kind: string }): void => {
      if (event.kind === 'retry') run.log(`the archive does not answer, waiting: ${name}`);
    };
    const outcome = await getWal(repository, request, { signal, clock: systemClock, report });
    return outcome === 'fetched' ? EXIT.ok : PROVEN_ABSENT;
  } catch (error) {
    for (const line of describeError(error)) run.log(line);
    return cannotKnowExit(dataDir);
  }
}
