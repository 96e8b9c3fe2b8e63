import type { Transform } from 'node:stream';
import type { ByteSource, ByteStage } from '../ports/bytes.ts';

/** A transform of `node:zlib`: it says how much of its input it has used. */
export interface MeasuredTransform extends Transform {
  readonly bytesWritten: number;
}

export interface TransformStageOptions {
  /** Makes the error to throw from one of the transform, or from a problem with its input. */
  readonly failure: (problem: string, cause?: unknown) => Error;
}

/**
 * A stage that sends bytes through a transform of `node:zlib`. It pulls its source only while its
 * consumer waits and the transform has room, so the transform works in the thread pool while the
 * consumer works here, and not before the last chunk has been used up. A transform that ends before its input does throws `failure`: zlib's own
 * streams ignore what follows, and a reader must not. Errors of the source pass unchanged.
 */
export function transformStage(
  open: () => MeasuredTransform,
  { failure }: TransformStageOptions,
): ByteStage {
  return async function* (source) {
    const transform = open();
    const events = listen(transform);
    const feed = feeder(source, transform, events.wake);
    try {
      for (;;) {
        const output: unknown = transform.read();
        if (output instanceof Uint8Array) yield output;
        else if (events.ended()) break;
        else if (feed.canPush()) await feed.push();
        else await events.next(failure);
      }
      if (await feed.hasMore()) throw failure('there are bytes after its end');
    } finally {
      transform.destroy();
      await feed.close();
    }
  };
}

/** The side that pulls the source into the transform. */
function feeder(source: ByteSource, transform: MeasuredTransform, wake: () => void) {
  const iterator = source[Symbol.asyncIterator]();
  let open = true;
  let fed = 0;
  let busy = false;

  /** The next chunk that is not empty. */
  async function pull(): Promise<Uint8Array | undefined> {
    try {
      while (open) {
        const { done, value } = await iterator.next();
        if (done === true) open = false;
        else if (value.length > 0) return value;
      }
    } catch (error) {
      open = false;
      throw error;
    }
    return undefined;
  }

  return {
    canPush: (): boolean => open && !busy && transform.writable,
    push: async (): Promise<void> => {
      const chunk = await pull();
      if (chunk === undefined) {
        transform.end();
        return;
      }
      fed += chunk.length;
      busy = true;
      transform.write(chunk, () => {
        busy = false;
        wake();
      });
    },
    hasMore: async (): Promise<boolean> =>
      transform.bytesWritten !== fed || (await pull()) !== undefined,
    close: async (): Promise<void> => {
      if (!open) return;
      open = false;
      await iterator.return?.();
    },
  };
}

/**
 * Turns the transform's events into one wait. An event that comes while nobody waits is kept, so
 * none is lost; one too many only costs a look.
 */
function listen(transform: Transform) {
  let ended = false;
  let error: Error | undefined;
  let happened = false;
  let resume: (() => void) | undefined;
  const wake = (): void => {
    happened = true;
    resume?.();
  };
  transform.on('readable', wake);
  transform.on('end', () => {
    ended = true;
    wake();
  });
  transform.on('error', (reason: Error) => {
    error ??= reason;
    wake();
  });
  return {
    wake,
    ended: (): boolean => ended,
    next: async (failure: TransformStageOptions['failure']): Promise<void> => {
      if (!happened && error === undefined) {
        await new Promise<void>((resolve) => {
          resume = resolve;
        });
      }
      happened = false;
      if (error !== undefined) throw failure(error.message, error);
    },
  };
}
