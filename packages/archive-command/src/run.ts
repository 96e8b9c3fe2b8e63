import { join, dirname } from 'node:path';
import { EXIT, exitCodeOf } from '@tsbk/core/kernel/exit';
import { TsbkError } from '@tsbk/core/kernel/errors';
import { pushWal } from '@tsbk/core/archive/push';
import { systemIdOfDataDirectory } from '@tsbk/core/cluster/system-id';
import { pushByDaemon } from '@tsbk/core/engine/ask-daemon';
import { GRACE_MS } from '@tsbk/core/engine/command-process';
import { describeError } from '@tsbk/core/engine/describe-error';
import { withGrace } from '@tsbk/core/engine/grace';
import { openRepository } from '@tsbk/core/engine/open-repository';
import type { LoadedSettings } from '@tsbk/core/settings/load';

/** What a run of the command is given; nothing is taken from the process. */
export interface PushRun {
  /** The arguments after the options: exactly one path. */
  readonly paths: readonly string[];
  readonly settings: LoadedSettings;
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
  const { settings, log } = run;
  const path = onePath(run.paths);
  const told = await pushByDaemon(path, { config: settings.config, signal });
  if (told !== undefined) {
    for (const line of told.lines) log(line);
    return told.exitCode;
  }
  await using repository = await openRepository(settings, {
    signal,
    retryBudgetMs: settings.config.pushTimeoutMs,
    report: (event) => {
      if (event.kind === 'retry') log(`trying again: ${event.what}: ${event.error}`);
    },
  });
  const serverSystemId = await systemIdOfDataDirectory(join(dirname(path), '..'));
  const { name, outcome } = await pushWal(repository, { path, serverSystemId }, { signal });
  if (outcome === 'already-there') log(`${name} was archived before, with the same content`);
  return EXIT.ok;
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
