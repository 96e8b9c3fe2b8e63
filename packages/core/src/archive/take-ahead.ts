import type { Clock } from '../ports/clock.ts';
import { bytesUnderWay, moveFromRing, type Ring } from './ring.ts';

const LOOK_EVERY_MS = 5;
/** A fetch of which nothing comes for so long is not waited for. */
const QUIET_MS_MAX = 1000;
const WAIT_MS_MAX = 10_000;

/**
 * Hands a segment over that was fetched ahead, or is being fetched just now. Its size; `undefined`
 * if it must be fetched from the archive, which says nothing of whether it is there.
 */
export async function takeAhead(
  ring: Ring,
  wal: { readonly name: string; readonly destination: string },
  { signal, clock }: { readonly signal: AbortSignal; readonly clock: Clock },
): Promise<number | undefined> {
  const end = clock.monotonicMs() + WAIT_MS_MAX;
  let seenBytes = -1;
  let seenMs = clock.monotonicMs();
  for (;;) {
    signal.throwIfAborted();
    const taken = await moveFromRing(ring, wal);
    if (taken !== undefined) return taken;
    const bytes = await bytesUnderWay(ring, wal.name);
    // It may have become whole between the two looks.
    if (bytes === undefined) return await moveFromRing(ring, wal);
    const nowMs = clock.monotonicMs();
    if (bytes > seenBytes) [seenBytes, seenMs] = [bytes, nowMs];
    if (nowMs - seenMs > QUIET_MS_MAX || nowMs > end) return undefined;
    await clock.sleep(LOOK_EVERY_MS, { signal });
  }
}
