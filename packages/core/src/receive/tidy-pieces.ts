import { createHash } from 'node:crypto';
import { isTsbkError, TsbkError } from '../kernel/errors.ts';
import type { ByteSource } from '../ports/bytes.ts';
import type { Repository, RunOptions } from '../repository/repository.ts';
import { findWal, openWal, storeWal } from '../repository/wal-archive.ts';
import { openPieces, segmentsWithPieces, type SegmentPrefix } from '../repository/wal-pieces.ts';
import { bothOf } from '../stream/parallel.ts';
import type { ReceiveContext } from './context.ts';
import { keepTrying } from './keep-trying.ts';

/**
 * Looks after the pieces that earlier runs left: those of a segment that is archived, with the
 * content that they have, go; those that make a whole segment become one, because the server may have
 * been told that it is durable and have removed its own. What is left is the beginning of a segment
 * that is still to come, or where a timeline ended, and what is damaged.
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
  // Who cannot read them cannot know either whether the archive holds the same.
  if (repository.cipher.unreadable !== undefined) return;
  const archived = await findWal(repository, segment, { signal });
  const prefix = await openUnlessMoved(repository, segment, { signal });
  if (prefix === undefined) return;
  if (prefix.isDisputed) {
    const text = `the pieces of ${segment} are of two histories, and are left as they are`;
    report({ kind: 'warning', code: 'pieces-disputed', text });
    return;
  }
  if (archived !== undefined) await mustBeArchived(context, prefix, archived);
  else if (prefix.bytes < prefix.segmentBytes) return;
  else await store(context, segment, () => prefix.content());
  await prefix.remove({ signal });
  const [first] = prefix.unproven;
  if (first === undefined) return;
  const text = `${prefix.unproven.length} pieces of ${segment} cannot be compared with the archived segment, because one of them is damaged or missing, and are left as they are: ${first}`;
  report({ kind: 'warning', code: 'pieces-damaged', text });
}

/** How often both are read before what differs in another way each time is believed to differ. */
const READINGS_MAX = 4;

/**
 * The server was told that these bytes are durable, so they go only where the archive has them. What
 * differs is read again, because an answer can be damaged on its way: two readings have to agree.
 * Throws `wal-conflict`, and `object-corrupt` for what comes damaged each time.
 */
async function mustBeArchived(
  { repository, signal }: ReceiveContext,
  prefix: SegmentPrefix,
  { key }: { readonly key: string },
): Promise<void> {
  const { segment, folder } = prefix;
  let before = '';
  for (let reading = 1; reading <= READINGS_MAX; reading += 1) {
    const hashes = await bothHashes(repository, prefix, { signal }).catch((error: unknown) => {
      if (!isTsbkError(error, 'object-corrupt') || reading === READINGS_MAX) throw error;
      return undefined;
    });
    if (hashes === undefined) continue;
    if (hashes.archived === hashes.received) return;
    const found = `${hashes.archived} ${hashes.received}`;
    if (found === before) break;
    before = found;
  }
  throw new TsbkError(
    'wal-conflict',
    `${repository.store.url}/${key} does not begin with what was received of ${segment} and lies in ${folder}`,
    {
      hint: 'Nothing was changed. Two servers archive to one prefix, or the archived file is damaged: find out which copy is right, and remove the other one by hand.',
    },
  );
}

interface BothHashes {
  /** `undefined` if it is not in the archive any more. */
  readonly archived: string | undefined;
  readonly received: string;
}

/** Neither is read any more when this has settled: whoever tries again begins anew. */
async function bothHashes(
  repository: Repository,
  prefix: SegmentPrefix,
  { signal }: RunOptions,
): Promise<BothHashes> {
  const [archived, received] = await bothOf(
    async (both) => {
      const opened = await openWal(repository, prefix.segment, { signal: both });
      return opened && (await hashOfFirst(opened.content, prefix.bytes));
    },
    () => hashOfFirst(prefix.content(), prefix.bytes),
    { signal },
  );
  return { archived, received };
}

/** Reads to the end: that is where a codec says that something was damaged. */
async function hashOfFirst(source: ByteSource, bytes: number): Promise<string> {
  const hash = createHash('sha256');
  let left = bytes;
  for await (const chunk of source) {
    const taken = chunk.subarray(0, left);
    hash.update(taken);
    left -= taken.length;
  }
  return hash.digest('hex');
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
