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
  const chunks: Uint8Array[] = [];
  let buffered = 0;
  let state: State = { kind: 'open' };
  let readerLeft: Error | undefined;
  let wakeReader: (() => void) | undefined;
  let wakeWriter: (() => void) | undefined;

  const wake = (): void => {
    wakeReader?.();
    wakeWriter?.();
  };
  const onAbort = (): void => {
    state = { kind: 'failed', error: signal.reason };
    wake();
  };
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });

  async function* read(): ByteSource {
    try {
      for (;;) {
        if (state.kind === 'failed') throw state.error;
        const chunk = chunks.shift();
        if (chunk !== undefined) {
          buffered -= chunk.length;
          wakeWriter?.();
          yield chunk;
        } else if (state.kind === 'ended') {
          return;
        } else {
          await new Promise<void>((resolve) => (wakeReader = resolve));
          wakeReader = undefined;
        }
      }
    } finally {
      signal.removeEventListener('abort', onAbort);
      readerLeft = new Error('the reader of this channel has left');
      chunks.length = 0;
      wakeWriter?.();
    }
  }

  return {
    buffered: () => buffered,
    write: async (chunk) => {
      if (state.kind === 'failed') throw state.error;
      if (readerLeft !== undefined) throw readerLeft;
      chunks.push(chunk);
      buffered += chunk.length;
      wakeReader?.();
      while (buffered > maxBytes && state.kind === 'open' && readerLeft === undefined) {
        await new Promise<void>((resolve) => (wakeWriter = resolve));
        wakeWriter = undefined;
      }
    },
    end: () => {
      if (state.kind === 'open') state = { kind: 'ended' };
      wake();
    },
    fail: (error) => {
      state = { kind: 'failed', error };
      wake();
    },
    source: read(),
  };
}
