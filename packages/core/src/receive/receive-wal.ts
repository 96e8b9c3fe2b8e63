import { isTsbkError, type TsbkError } from '../kernel/errors.ts';
import type { ReceiveContext } from './context.ts';
import { mayPass, pauseMs } from './keep-trying.ts';
import { runSession } from './run-session.ts';

/**
 * Receives WAL until it is told to stop: whatever ends a connection, it connects again, after a pause
 * that grows while nothing succeeds. Before it has ever streamed, what only a person can mend is
 * thrown at once, for the person is there then; afterwards only what waiting makes worse:
 * `wal-conflict`, `wrong-system-id`, `wal-invalid`, a key that is wrong.
 */
export async function receiveWal(context: ReceiveContext): Promise<void> {
  const { clock, stop, signal, report, status } = context;
  let hasStreamed = false;
  let failures = 0;
  while (!stop.aborted) {
    try {
      await runSession(context, {
        isFirst: !hasStreamed,
        onStreaming: () => {
          hasStreamed = true;
          failures = 0;
          status.lastError = undefined;
        },
      });
      if (stop.aborted) return;
      report({ kind: 'info', text: 'the server has ended the stream' });
    } catch (error) {
      if (signal.aborted || !isTsbkError(error)) throw error;
      if (stop.aborted) return;
      status.lastError = error.message;
      if (hasStreamed ? !goesOn(error) : !error.retry) throw error;
      report({ kind: 'warning', code: error.code, text: error.message });
      if (SLOTLESS.has(error.code)) status.slot = undefined;
    }
    failures += 1;
    await clock.sleep(pauseMs(failures), { signal: stop }).catch(() => undefined);
  }
}

/** A slot that was there and is lost is no reason to leave the WAL that comes next unreceived. */
const SLOTLESS: ReadonlySet<string> = new Set(['slot-lost', 'slot-missing']);

function goesOn(error: TsbkError): boolean {
  return mayPass(error) || SLOTLESS.has(error.code) || error.code === 'scratch-failed';
}
