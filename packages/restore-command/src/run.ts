import { EXIT } from '@tsbk/core/kernel/exit';
import { TsbkError } from '@tsbk/core/kernel/errors';
import { getWal } from '@tsbk/core/archive/get';
import { systemIdOfDataDirectory } from '@tsbk/core/cluster/system-id';
import { systemClock } from '@tsbk/core/engine/clock';
import { getByDaemon } from '@tsbk/core/engine/ask-daemon';
import { GRACE_MS } from '@tsbk/core/engine/command-process';
import { describeError } from '@tsbk/core/engine/describe-error';
import { withGrace } from '@tsbk/core/engine/grace';
import { openRepository } from '@tsbk/core/engine/open-repository';
import type { ReportEvent } from '@tsbk/core/ports/report';
import type { LoadedSettings } from '@tsbk/core/settings/load';
import { readWalMark } from '@tsbk/core/cluster/wal-mark';
import { openAhead } from './ahead.ts';
import { isStandby, patienceMs } from './patience.ts';

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
  /** The question as the launcher compares it, and when this process began (epoch, milliseconds). */
  readonly askedAs?: { readonly text: string; readonly beganMs: number } | undefined;
  /** Starts the process that fetches ahead; nothing is fetched ahead without it. */
  readonly startPrefetcher?: (() => void) | undefined;
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
  return isStandby(dataDir) ? EXIT.temporary : CANNOT_KNOW;
}

/**
 * `restore_command`: fetches one WAL file and answers with the exit code. 0 means verified and in
 * place, `PROVEN_ABSENT` means proven absent; whatever else happens must not end a recovery.
 */
export async function runArchiveGet(run: GetRun): Promise<number> {
  try {
    return await withGrace(get(run), run.signal, GRACE_MS);
  } catch (error) {
    for (const line of describeError(error)) run.log(line);
    return cannotKnowExit(run.dataDir);
  }
}

async function get(run: GetRun): Promise<number> {
  const [name, destination] = run.positionals;
  if (name === undefined || destination === undefined || run.positionals.length !== 2) {
    const given = `a name and a destination are needed, not ${run.positionals.length} arguments`;
    throw new TsbkError('usage', given, { hint: "restore_command = 'tsbk-archive-get %f %p'" });
  }
  const wal = { name, destination };
  const ahead = await openAhead(run);
  if ((await ahead?.take(wal, run.signal)) === true) return EXIT.ok;
  const exitCode = (await byDaemon(run, wal)) ?? (await alone(run, wal));
  if (exitCode === EXIT.ok) await ahead?.fetched(wal);
  return exitCode;
}

/** `undefined` where no daemon gave an answer. */
async function byDaemon(
  { settings: { config }, dataDir, log, signal }: GetRun,
  wal: { readonly name: string; readonly destination: string },
): Promise<number | undefined> {
  const told = await getByDaemon(wal, { config, signal });
  if (told === undefined) return undefined;
  if (told.exitCode === EXIT.ok || told.exitCode === PROVEN_ABSENT) return told.exitCode;
  for (const line of told.lines) log(line);
  return cannotKnowExit(dataDir);
}

async function alone(
  { settings, dataDir, log, signal }: GetRun,
  { name, destination }: { readonly name: string; readonly destination: string },
): Promise<number> {
  await using repository = await openRepository(settings, {
    signal,
    // The patience of `getWal` is the budget; a second one below it would only add to it.
    retryBudgetMs: 0,
    report: () => {},
  });
  const request = {
    name,
    destination,
    patienceMs: patienceMs(settings, dataDir),
    mustExist: await readWalMark(dataDir),
    wholeOnly: isStandby(dataDir) && settings.config.getOpenSegment !== 'always',
    systemId: await systemIdOfDataDirectory(dataDir),
  };
  const report = (event: ReportEvent): void => {
    if (event.kind === 'retry') log(`waiting for ${name}: ${event.error}`);
    if (event.kind === 'info') log(event.text);
    if (event.kind === 'warning') log(`warning: ${event.text} [${event.code}]`);
  };
  const outcome = await getWal(repository, request, { signal, clock: systemClock, report });
  return outcome === 'fetched' ? EXIT.ok : PROVEN_ABSENT;
}
