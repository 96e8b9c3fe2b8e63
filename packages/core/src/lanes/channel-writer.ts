import type { ByteSource } from '../ports/bytes.ts';
import type { LaneWriter, Receipt } from '../ports/lanes.ts';
import { channel } from '../stream/channel.ts';

/** Raw bytes that may wait for the calling thread to get to them. */
const CHANNEL_BYTES = 2 * 1024 * 1024;

/** The writer of an object that is made in the calling thread by `store`, which reads the source. */
export function channelWriter(
  store: (source: ByteSource) => Promise<Receipt>,
  signal: AbortSignal,
): LaneWriter {
  const pipe = channel(CHANNEL_BYTES, signal);
  const done = store(pipe.source);
  done.catch((error: unknown) => pipe.fail(error));
  return {
    waiting: () => pipe.buffered(),
    write: async (chunk) => {
      try {
        // What waits in the channel must not change any more.
        await pipe.write(Uint8Array.from(chunk));
      } catch (error) {
        // Whoever reads has left, and says why a moment later.
        await done;
        throw error;
      }
    },
    end: async () => {
      pipe.end();
      return await done;
    },
    fail: async (error) => {
      pipe.fail(error);
      await done.catch(() => undefined);
    },
  };
}
