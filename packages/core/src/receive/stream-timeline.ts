import type { Lsn } from '../kernel/lsn.ts';
import type { Clock } from '../ports/clock.ts';
import type { TimelineSwitch, WalStream } from '../postgres/wal-stream.ts';
import { orAbort } from '../stream/abort.ts';
import type { WalIntake } from './intake.ts';

export interface StreamOptions {
  readonly clock: Clock;
  /** At least this often the server hears from us, whatever else goes on. Milliseconds. */
  readonly replyMs: number;
  /** Asks to end the stream. */
  readonly stop: AbortSignal;
  /** Ends everything at once. */
  readonly signal: AbortSignal;
  readonly onServerEnd: (lsn: Lsn) => void;
}

export type StreamEnd =
  | { readonly kind: 'timeline-end'; readonly next: TimelineSwitch }
  /** By us, or by a server that shuts down. */
  | { readonly kind: 'ended' };

/** How long the last bytes may take on their way to the store before the server is told goodbye. */
const FAREWELL_MS = 5000;

/**
 * Carries WAL from a stream to an intake until the stream ends. The intake may keep it waiting for
 * as long as the store is away; positions go to the server all the while, on a timer of their own,
 * so that it neither gives up on us nor forgets what is not durable yet.
 */
export async function streamTimeline(
  stream: WalStream,
  intake: WalIntake,
  options: StreamOptions,
): Promise<StreamEnd> {
  const over = new AbortController();
  const signal = AbortSignal.any([options.signal, over.signal, intake.failed]);
  // Whatever ends one of them ends the reading too, which says why.
  const beside = Promise.allSettled([
    beat(stream, intake, { ...options, signal }),
    sayFarewell(stream, intake, { ...options, signal }),
  ]);
  try {
    return await read(stream, intake, { ...options, signal });
  } finally {
    over.abort();
    await beside;
  }
}

async function read(
  stream: WalStream,
  intake: WalIntake,
  { signal, onServerEnd }: StreamOptions,
): Promise<StreamEnd> {
  for (;;) {
    const event = await orAbort(stream.next(), signal);
    if (event.kind === 'timeline-end' || event.kind === 'ended') return event;
    onServerEnd(event.serverEnd);
    intake.heardServerEnd(event.serverEnd);
    if (event.kind === 'wal') await orAbort(intake.append(event.lsn, event.data), signal);
    else if (event.replyWanted) {
      // One that is shutting down waits until we have everything.
      intake.hurry();
      await stream.reply(intake.position);
    }
  }
}

async function beat(
  stream: WalStream,
  intake: WalIntake,
  { clock, replyMs, signal }: StreamOptions,
): Promise<void> {
  for (;;) {
    await stream.reply(intake.position);
    await clock.sleep(replyMs, { signal });
  }
}

/** When we are to stop: stores what is here, says so, and ends the stream. */
async function sayFarewell(
  stream: WalStream,
  intake: WalIntake,
  { clock, stop, signal }: StreamOptions,
): Promise<void> {
  await aborted(stop, signal);
  const late = new AbortController();
  const timer = clock.sleep(FAREWELL_MS, { signal }).then(() => late.abort());
  timer.catch(() => undefined);
  await intake.drained({ signal: AbortSignal.any([signal, late.signal]) }).catch(() => undefined);
  signal.throwIfAborted();
  await stream.reply(intake.position);
  await stream.finish();
}

/** Resolves when the first signal aborts; rejects when the second one does. */
async function aborted(wanted: AbortSignal, signal: AbortSignal): Promise<void> {
  const never = new Promise<void>((resolve) => {
    if (wanted.aborted) resolve();
    else wanted.addEventListener('abort', () => resolve(), { once: true, signal });
  });
  await orAbort(never, signal);
}
