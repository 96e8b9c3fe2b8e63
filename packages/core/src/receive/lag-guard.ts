import { formatSize } from '../kernel/size.ts';
import { isTsbkError } from '../kernel/errors.ts';
import { identifySystem } from '../postgres/identify-system.ts';
import { openReplicationSession } from '../postgres/replication-session.ts';
import type { ReceiveContext } from './context.ts';
import { lagBytes } from './status.ts';

export interface LagGuard {
  /** When the server was last heard, on the monotonic clock. */
  readonly lastHeardMs: () => number;
  /** Called once, when the slot is to be given up. */
  readonly giveUpSlot: (lag: string) => void;
  readonly signal: AbortSignal;
}

const LOOK_MS = 10_000;

/**
 * Watches how much WAL a slot makes the server keep. While the store is away nothing is read from
 * the server, so it is asked in a session of its own how far it is.
 */
export async function guardLag(
  context: ReceiveContext,
  { lastHeardMs, giveUpSlot, signal }: LagGuard,
): Promise<void> {
  const { clock, request, report, status } = context;
  let isTooMuch = false;
  for (;;) {
    await clock.sleep(LOOK_MS, { signal });
    if (clock.monotonicMs() - lastHeardMs() >= LOOK_MS) await askServer(context, signal);
    const lag = lagBytes(status) ?? 0n;
    const wasTooMuch = isTooMuch;
    isTooMuch = lag > BigInt(request.lagBytesMax);
    if (!isTooMuch || wasTooMuch) continue;
    const text = `the server has ${formatSize(Number(lag))} of WAL that is not stored yet, more than ${formatSize(request.lagBytesMax)}`;
    if (request.lagAction === 'drop-slot' && status.slot !== undefined) return giveUpSlot(text);
    report({ kind: 'warning', code: 'receive-lag', text });
  }
}

async function askServer({ request, status }: ReceiveContext, signal: AbortSignal): Promise<void> {
  try {
    await using session = await openReplicationSession(request.connection, { signal });
    status.serverLsn = (await identifySystem(session)).lsn;
  } catch (error) {
    // Whoever streams will notice what is wrong with the server.
    if (!isTsbkError(error) || signal.aborted) throw error;
  }
}
