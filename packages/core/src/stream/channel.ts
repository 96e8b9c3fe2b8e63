import type { ByteSource } from '../ports/bytes.ts';

/**
 * A bounded pipe between one writer and one reader. The writer waits while more than `maxBytes` lie
 * unread, so memory is bounded by it plus one chunk.
 */
export interface Channel {
  /** Bytes written and not read yet. */
  readonly buffered: () => number;
  /**
   * Resolves when there is room again. Rejects with the reader's failure once the reader has left,
   * or with the signal's reason.
   */
  write(chunk: Uint8Array): Promise<void>;
  /** No more chunks: the reader ends after what is buffered. */
  end(): void;
  /** The reader throws `error` at once; what is buffered is dropped. */
  fail(error: unknown): void;
  /** To be read once. Leaving it early makes every later `write` reject. */
  readonly source: ByteSource;
}

type State = { kind: 'open' } | { kind: 'ended' } | { kind: 'failed'; error: unknown };

/** Makes a channel; see `Channel`. */
export function channel(maxBytes: number, signal: AbortSignal): Channel {
  const pipe = new Pipe(maxBytes);
  const onAbort = (): void => pipe.close({ kind: 'failed', error: signal.reason });
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  return {
    buffered: () => pipe.bufferedBytes,
    write: (chunk) => pipe.write(chunk),
    end: () => pipe.close({ kind: 'ended' }),
    fail: (error) => pipe.close({ kind: 'failed', error }),
    source: pipe.read(() => signal.removeEventListener('abort', onAbort)),
  };
}

/** At most one writer and one reader wait at a time; each change wakes both. */
class Pipe {
  bufferedBytes = 0;
  readonly #maxBytes: number;
  readonly #chunks: Uint8Array[] = [];
  readonly #waiting = new Set<() => void>();
  #state: State = { kind: 'open' };
  #readerLeft = false;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  async write(chunk: Uint8Array): Promise<void> {
    if (this.#state.kind === 'failed') throw this.#state.error;
    if (this.#readerLeft) throw new Error('the reader of this channel has left');
    this.#chunks.push(chunk);
    this.bufferedBytes += chunk.length;
    this.#wake();
    while (
      this.bufferedBytes > this.#maxBytes &&
      this.#state.kind === 'open' &&
      !this.#readerLeft
    ) {
      await this.#change();
    }
  }

  /** Ending is for good only while nothing has failed; a failure is for good. */
  close(state: State): void {
    if (this.#state.kind !== 'failed') this.#state = state;
    this.#wake();
  }

  async *read(onLeave: () => void): ByteSource {
    try {
      for (;;) {
        if (this.#state.kind === 'failed') throw this.#state.error;
        const chunk = this.#chunks.shift();
        if (chunk !== undefined) {
          this.bufferedBytes -= chunk.length;
          this.#wake();
          yield chunk;
        } else if (this.#state.kind === 'ended') return;
        else await this.#change();
      }
    } finally {
      onLeave();
      this.#readerLeft = true;
      this.#chunks.length = 0;
      this.#wake();
    }
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiting.add(resolve));
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}
