import { EXIT, exitCodeOf } from '@tsbk/core/kernel/exit';
import { messageOf, TsbkError } from '@tsbk/core/kernel/errors';
import { openPushMemory, type PushMemory } from '@tsbk/core/archive/push-memory';
import type { Asked } from '@tsbk/core/archive/push-record';
import { stateDirectoryOf } from '@tsbk/core/cluster/state-directory';
import { pushByDaemon } from '@tsbk/core/engine/ask-daemon';
import { systemClock } from '@tsbk/core/engine/clock';
import { keepCompiled } from '@tsbk/core/engine/compile-cache';
import { GRACE_MS } from '@tsbk/core/engine/command-process';
import { describeError } from '@tsbk/core/engine/describe-error';
import { withGrace } from '@tsbk/core/engine/grace';
import { dataDirectoryOf, placeOf } from '@tsbk/core/engine/place-of';
import type { LoadedSettings } from '@tsbk/core/settings/load';

/** What a run of the command is given; nothing is taken from the process. */
export interface PushRun {
  /** The arguments after the options: exactly one path. */
  readonly paths: readonly string[];
  readonly settings: LoadedSettings;
  /** To what the launcher may answer the next time; `undefined` for nothing. */
  readonly asked?: Asked | undefined;
  /** One line to standard error, which is the server's log. */
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}

/**
 * `archive_command`: stores the file and answers with the exit code. 0 means durable in the
 * repository. Everything else lies within 1…125, because a higher code kills PostgreSQL's
 * archiver process.
 */
export async function runArchivePush(run: PushRun): Promise<number> {
  const { config } = run.settings;
  const deadline = new AbortController();
  const timer = setTimeout(
    () => deadline.abort(timeUp(config.pushTimeoutMs)),
    config.pushTimeoutMs,
  ).unref();
  const signal = AbortSignal.any([run.signal, deadline.signal]);
  try {
    return await withGrace(push(run, signal), signal, GRACE_MS);
  } catch (error) {
    for (const line of describeError(error)) run.log(line);
    return exitCodeOf(error);
  } finally {
    clearTimeout(timer);
  }
}

async function push(run: PushRun, signal: AbortSignal): Promise<number> {
  const path = onePath(run.paths);
  const { settings, asked } = run;
  const { config } = settings;
  // With 0 nothing is answered from memory, and the daemon has one.
  const told =
    config.pushAhead === 0 ? undefined : await pushByDaemon(path, { config, asked, signal });
  if (told?.exitCode === EXIT.ok || told?.exitCode === EXIT.conflict) {
    for (const line of told.lines) run.log(line);
    return told.exitCode;
  }
  // Its credentials may be older than ours, its connections broken: storing twice does no harm.
  if (told !== undefined)
    run.log(`working without the daemon, which said: ${told.lines.join(' ')}`);
  const memory = await memoryFor(run, path);
  if ((await memory?.recalls(path, { signal })) === true) return EXIT.ok;
  // What reaches a store loads only now that one is needed.
  const { pushToStore } = await import('./push-to-store.ts');
  await pushToStore({ ...run, path, memory, signal });
  return EXIT.ok;
}

/** Without one everything goes on as if nothing had been pushed before. */
async function memoryFor(
  { settings: { config }, asked, log }: PushRun,
  path: string,
): Promise<PushMemory | undefined> {
  const dataDir = dataDirectoryOf(path);
  const place = placeOf(config);
  if (dataDir === undefined || place === undefined || config.pushAhead === 0) return undefined;
  const stateDirectory = stateDirectoryOf(dataDir, config.stateDirectory);
  try {
    const memory = await openPushMemory({ stateDirectory, place, asked, clock: systemClock });
    await keepCompiled(stateDirectory);
    return memory;
  } catch (error) {
    log(`warning: nothing is pushed ahead: ${messageOf(error)}`);
    return undefined;
  }
}

function onePath(paths: readonly string[]): string {
  const [path] = paths;
  if (path !== undefined && paths.length === 1) return path;
  throw new TsbkError('usage', `one path is needed, not ${paths.length}`, {
    hint: "archive_command = 'tsbk-archive-push %p'",
  });
}

function timeUp(timeoutMs: number): TsbkError {
  return new TsbkError('store-timeout', `not archived within ${timeoutMs / 1000} s`, {
    hint: 'PostgreSQL will try again. TSBK_PUSH_TIMEOUT sets the limit.',
  });
}
