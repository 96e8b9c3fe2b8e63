import type { Clock } from '../ports/clock.ts';

/** By which one loop tells others that something has changed. Whoever waits looks for itself at what. */
export class Doorbell {
  readonly #waiting = new Set<() => void>();

  /** Ends every wait that has begun. */
  ring(): void {
    for (const end of this.#waiting) end();
  }

  /** Resolves at the next ring, or after `ms`; rejects with the signal's reason. */
  async wait(
    ms: number,
    { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
  ): Promise<void> {
    signal.throwIfAborted();
    // Not `AbortSignal.any`: this is called each second for months, on a signal that lives as long.
    const over = new AbortController();
    const end = (): void => over.abort();
    this.#waiting.add(end);
    signal.addEventListener('abort', end, { once: true });
    try {
      await clock.sleep(ms, { signal: over.signal });
    } catch (error) {
      if (!over.signal.aborted) throw error;
    } finally {
      this.#waiting.delete(end);
      signal.removeEventListener('abort', end);
    }
    signal.throwIfAborted();
  }
}
