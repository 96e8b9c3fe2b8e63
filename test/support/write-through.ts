import type { ByteSource } from '@tsbk/core/ports/bytes';
import type { Lanes, LaneWriter, Receipt } from '@tsbk/core/ports/lanes';

/** Sends a source through a writer to its end; gives the object up if the source fails. */
export async function sendAll<T>(
  writer: Pick<LaneWriter, 'write' | 'fail'> & { end(): Promise<T> },
  source: ByteSource,
): Promise<T> {
  try {
    for await (const chunk of source) {
      await writer.write(chunk);
      // The lane has its own copy by now.
      chunk.fill(0xee);
    }
  } catch (error) {
    await writer.fail(error);
    throw error;
  }
  return await writer.end();
}

/** Makes one object through lanes. */
export function writeThrough(
  lanes: Pick<Lanes, 'open'>,
  { key, source }: { readonly key: string; readonly source: ByteSource },
  { signal }: { readonly signal: AbortSignal },
): Promise<Receipt> {
  return sendAll(lanes.open(key, { signal }), source);
}
