import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isTsbkError, TsbkError } from '@tsbk/core/kernel/errors';
import { stateDirectoryOf } from '@tsbk/core/cluster/state-directory';
import { openRepository } from '@tsbk/core/engine/open-repository';
import { loadConnection } from '@tsbk/core/postgres/load-connection';
import type { ReceiveContext } from '@tsbk/core/receive/context';
import { receiveWal } from '@tsbk/core/receive/receive-wal';
import { emptyStatus } from '@tsbk/core/receive/status';
import { keepStatusFile, STATUS_FILE } from '@tsbk/core/receive/status-file';
import type { CommandContext, Run } from '../command.ts';

/** How long what was received may take to be stored after the request to stop. */
const GRACE_MS = 15_000;

/** How long one request is tried again. Milliseconds. */
const RETRY_BUDGET_MS = 5000;

/** `tsbk wal-receive`: until it is stopped. */
export const runWalReceive: Run = async (context) => {
  const { settings, config, environment, flags, report, clock, signal: stop } = context;
  if (flags.on('create-slot') === true && flags.on('no-slot') === true) {
    throw new TsbkError('usage', '--create-slot and --no-slot exclude each other');
  }
  const hard = new AbortController();
  await using repository = await openRepository(settings, {
    signal: hard.signal,
    report,
    // What is to be stored is tried for ever, one level up.
    retryBudgetMs: RETRY_BUDGET_MS,
  });
  const slot = flags.on('no-slot') === true ? undefined : config.slotName;
  const receiver: ReceiveContext = {
    repository,
    request: {
      connection: await loadConnection(environment),
      createSlot: flags.on('create-slot') === true,
      flushMs: config.receiveFlushMs,
      flushBytes: config.receiveFlushBytes,
      scratchDirectory: config.scratchDirectory ?? tmpdir(),
      lagBytesMax: config.receiveLagBytesMax,
      lagAction: config.receiveLagAction,
    },
    status: emptyStatus(slot),
    clock,
    report,
    stop,
    signal: hard.signal,
  };
  const over = new AbortController();
  const watch = watchStatus(context, receiver, over.signal);
  const grace = endAfterGrace(context, hard, over.signal);
  try {
    await receiveWal(receiver);
  } finally {
    over.abort();
    await Promise.all([watch, grace]);
  }
  // It only ever ends because it was told to.
  throw stop.reason;
};

/** Writes the status where the server's other commands look for it, if that is known. */
async function watchStatus(
  { config, environment }: CommandContext,
  receiver: ReceiveContext,
  signal: AbortSignal,
): Promise<void> {
  const dataDirectory = environment['PGDATA'];
  const named = config.stateDirectory;
  if (named === undefined && (dataDirectory === undefined || dataDirectory === '')) return;
  const directory = stateDirectoryOf(dataDirectory ?? '', named);
  await keepStatusFile(join(directory, STATUS_FILE), receiver, { signal });
}

async function endAfterGrace(
  { clock, signal: stop }: CommandContext,
  hard: AbortController,
  over: AbortSignal,
): Promise<void> {
  try {
    if (!stop.aborted) {
      await new Promise<void>((resolve) => {
        stop.addEventListener('abort', () => resolve(), { once: true, signal: over });
        over.addEventListener('abort', () => resolve(), { once: true });
      });
    }
    await clock.sleep(GRACE_MS, { signal: over });
    hard.abort(stop.reason);
  } catch (error) {
    if (!over.aborted && !isTsbkError(error)) throw error;
  }
}
