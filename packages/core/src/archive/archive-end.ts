import { TsbkError } from '../kernel/errors.ts';
import { parseSegment, segmentNumberAt, type WalFileName } from '../kernel/wal-file.ts';
import { nextArchived } from '../repository/next-archived.ts';
import type { Repository, RunOptions } from '../repository/repository.ts';
import { segmentBytesOf } from '../repository/segment-size.ts';
import { findWal } from '../repository/wal-archive.ts';
import { readHistory } from '../repository/wal-way/read-history.ts';

/**
 * Makes sure that the archive ends before a segment which it does not have, so that a recovery may end
 * there, too. It does not if it has later WAL of the same timeline: then the segment is on its way, or
 * lost. What other timelines have says nothing: another one may have left this one before. Throws
 * `wal-hole`, which names both, and asks for another try if the segment has come meanwhile.
 */
export async function requireArchiveEnd(
  repository: Repository,
  file: WalFileName,
  { signal }: RunOptions,
): Promise<void> {
  if (file.kind !== 'segment') return;
  const { name } = file;
  const next = await nextArchived(repository, name, { signal });
  if (next === undefined || (await beginsAfter(repository, file, next, { signal }))) return;
  await mustStillBeAbsent(repository, name, { signal });
  throw new TsbkError(
    'wal-hole',
    `${name} is not in ${repository.store.url}, but ${next} behind it is: recovery must not end there`,
    {
      hint: 'If it does not come by itself, store it from a server that still has it: tsbk wal-verify --heal. To end recovery before it on purpose, set a recovery target before it.',
    },
  );
}

/** Throws an error that asks for another try if the segment has come into the archive meanwhile. */
export async function mustStillBeAbsent(
  repository: Repository,
  name: string,
  { signal }: RunOptions,
): Promise<void> {
  if ((await findWal(repository, name, { signal })) === undefined) return;
  throw new TsbkError('object-missing', `${name} was archived while it was looked for`, {
    hint: 'Ask again.',
    retry: true,
  });
}

/**
 * Whether the timeline begins only behind this segment: before a switch PostgreSQL may ask for the
 * name on the new timeline first, where it never was.
 */
async function beginsAfter(
  repository: Repository,
  { name, timeline }: WalFileName,
  next: string,
  { signal }: RunOptions,
): Promise<boolean> {
  if (timeline === 1) return false;
  const history = await readHistory(repository, timeline, { signal });
  const switchLsn = history?.ancestors.at(-1)?.switchLsn;
  if (switchLsn === undefined) return false;
  const segmentBytes = await segmentBytesOf(repository, next, { signal });
  if (segmentBytes === undefined) return false;
  const number = parseSegment(name, segmentBytes)?.number;
  return number !== undefined && number < segmentNumberAt(switchLsn, segmentBytes);
}
