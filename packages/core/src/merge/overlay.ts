import { ByteReader } from '../format/byte-reader.ts';
import { PAGE_BYTES } from '../format/page.ts';
import type { ByteSource } from '../ports/bytes.ts';
import type { ScratchBytes } from '../stream/scratch-bytes.ts';
import type { KeptFile } from './kept-pages.ts';

/** Neighbours that lie together are read together, so many at most. */
const RUN_PAGES = 32;
const ZEROS = new Uint8Array(RUN_PAGES * PAGE_BYTES);

/**
 * A file as it is when its kept pages are put over the older `base`: where no page was kept, the
 * base's bytes below the limit, and zeros beyond it or where the base has ended. Chunks are lent.
 */
export async function* overlay(
  { member, limit, blocks, places }: KeptFile,
  base: ByteSource,
  scratch: Pick<ScratchBytes, 'read'>,
): ByteSource {
  const reader = new ByteReader(base);
  let next = 0;
  for (let position = 0; position < member.bytes;) {
    const block = blocks[next];
    if (block !== undefined && block * PAGE_BYTES === position) {
      const run = runFrom({ blocks, places }, next);
      const pages = await scratch.read(places[next] ?? 0, run * PAGE_BYTES);
      await skip(reader, pages.length);
      const chunk = pages.subarray(0, member.bytes - position);
      position += chunk.length;
      next += run;
      yield chunk;
    } else {
      const end = block === undefined ? member.bytes : block * PAGE_BYTES;
      const chunk = await below(reader, { position, end, limit });
      position += chunk.length;
      yield chunk;
    }
  }
}

/** How many of the pages from `first` on are neighbours in the file and in the scratch bytes. */
function runFrom({ blocks, places }: Pick<KeptFile, 'blocks' | 'places'>, first: number): number {
  const [block, place] = [blocks[first] ?? 0, places[first] ?? 0];
  let run = 1;
  while (
    run < RUN_PAGES &&
    blocks[first + run] === block + run &&
    places[first + run] === place + run * PAGE_BYTES
  ) {
    run += 1;
  }
  return run;
}

/** The next bytes of the base, or zeros. */
async function below(
  reader: ByteReader,
  at: { readonly position: number; readonly end: number; readonly limit: number },
): Promise<Uint8Array> {
  const { position, end, limit } = at;
  const chunk = position < limit ? await reader.some(Math.min(end, limit) - position) : undefined;
  return chunk ?? ZEROS.subarray(0, end - position);
}

async function skip(reader: ByteReader, bytes: number): Promise<void> {
  for (let left = bytes; left > 0;) {
    const chunk = await reader.some(left);
    if (chunk === undefined) return;
    left -= chunk.length;
  }
}
