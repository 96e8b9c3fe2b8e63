import { isTsbkError } from '../kernel/errors.ts';
import { findWal, storeWal } from '../repository/wal-archive.ts';
import { openPieces, removePieces, segmentsWithPieces } from '../repository/wal-pieces.ts';
import type { ReceiveContext } from './context.ts';
import { keepTrying } from './keep-trying.ts';

/**
 * Looks after the pieces that earlier runs left: those of a segment that is archived go; those that
 * make a whole segment become one, because the server may have been told that it is durable and have
 * removed its own. What is left is the beginning of a segment that is still to come, or where a
 * timeline ended.
 */
export async function tidyPieces(context: ReceiveContext): Promise<void> {
  const { repository, signal } = context;
  const segments: string[] = [];
  for await (const segment of segmentsWithPieces(repository, { signal })) segments.push(segment);
  for (const segment of segments) {
    await keepTrying(`look after the pieces of ${segment}`, context, () =>
      tidySegment(context, segment),
    );
  }
}

async function tidySegment(context: ReceiveContext, segment: string): Promise<void> {
  const { repository, signal, report } = context;
  if ((await findWal(repository, segment, { signal })) === undefined) {
    if (repository.cipher.unreadable !== undefined) return;
    const prefix = await openUnlessMoved(repository, segment, { signal });
    if (prefix === undefined || prefix.bytes < prefix.segmentBytes) return;
    if (prefix.isDisputed) {
      const text = `the pieces of ${segment} are of two histories, and are left as they are`;
      report({ kind: 'warning', code: 'pieces-disputed', text });
      return;
    }
    await store(context, segment, () => prefix.content());
  }
  await removePieces(repository, segment, { signal });
}

/** Pieces that go away while they are read are another receiver's business. */
async function openUnlessMoved(
  ...given: Parameters<typeof openPieces>
): ReturnType<typeof openPieces> {
  try {
    return await openPieces(...given);
  } catch (error) {
    if (isTsbkError(error, 'object-missing')) return undefined;
    throw error;
  }
}

async function store(
  { repository, signal, report }: ReceiveContext,
  name: string,
  source: Parameters<typeof storeWal>[1]['source'],
): Promise<void> {
  try {
    await storeWal(repository, { name, source }, { signal });
    report({ kind: 'info', text: `put ${name} together from its pieces` });
  } catch (error) {
    // Another receiver has put it together and removed them meanwhile.
    const isGone = isTsbkError(error, 'object-missing');
    if (!isGone || (await findWal(repository, name, { signal })) === undefined) throw error;
  }
}
