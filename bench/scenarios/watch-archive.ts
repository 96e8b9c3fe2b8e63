import { setTimeout as sleep } from 'node:timers/promises';
import { loadRunSettings } from '@tsbk/core/engine/load-run-settings';
import { openRepository } from '@tsbk/core/engine/open-repository';
import { formatSegment, segmentStart } from '@tsbk/core/kernel/wal-file';
import type { Lsn } from '@tsbk/core/kernel/lsn';
import { piecesFolder, WAL_FOLDER, walKey } from '@tsbk/core/repository/layout';
import { byRun, longestChain } from '@tsbk/core/repository/piece-runs';
import type { Repository } from '@tsbk/core/repository/repository';
import { parsePieceKey } from '@tsbk/core/repository/wal-piece';
import { walFileOf } from '@tsbk/core/repository/wal-way/wal-listing';
import type { TestStore } from '@tsbk/test/support/store';

/** Between two looks. What is found is at most so much older than it seems, and the look's own time. */
const LOOK_MS = 25;
const SEGMENT_BYTES = 16 * 1024 ** 2;

/** Says how far the WAL can be restored from a repository, by looking at it all the time. */
export interface ArchiveWatch extends AsyncDisposable {
  /** By `performance.now()`: when it was first seen that everything before `lsn` is there. */
  readonly reached: (lsn: Lsn) => number | undefined;
}

interface Sight {
  readonly end: Lsn;
  readonly atMs: number;
}

/** Looks from segment number `first` of timeline 1 on. */
export async function watchArchive(
  { env }: Pick<TestStore, 'env'>,
  first: bigint,
): Promise<ArchiveWatch> {
  const stop = new AbortController();
  const { signal } = stop;
  const settings = await loadRunSettings({ env, flags: {}, command: 'wal-receive' });
  const repository = await openRepository(settings, { signal, report: () => undefined });
  const sights: Sight[] = [];
  const look = async (): Promise<void> => {
    let number = first;
    while (!signal.aborted) {
      number = await firstMissing(repository, number, signal);
      const bytes = await bytesInPieces(repository, nameOf(number), signal);
      const end = (segmentStart(number, SEGMENT_BYTES) + BigInt(bytes)) as Lsn;
      if (end > (sights.at(-1)?.end ?? 0n)) sights.push({ end, atMs: performance.now() });
      await sleep(LOOK_MS, undefined, { signal });
    }
  };
  let failure: Error | undefined;
  const looking = look().catch((error: unknown) => {
    if (!signal.aborted) failure = new Error('cannot watch the archive', { cause: error });
  });
  return {
    reached: (lsn) => {
      if (failure !== undefined) throw failure;
      return sights.find(({ end }) => end >= lsn)?.atMs;
    },
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await looking;
      await repository[Symbol.asyncDispose]();
    },
  };
}

async function firstMissing(
  { store, walExtensions }: Repository,
  from: bigint,
  signal: AbortSignal,
): Promise<bigint> {
  const extensions = new Set(walExtensions);
  const after = walKey(nameOf(from)).slice(0, -1);
  let number = from;
  for await (const { key } of store.list(WAL_FOLDER, { signal, after, shallow: true })) {
    const file = walFileOf(key.slice(WAL_FOLDER.length), extensions);
    if (file?.kind === 'segment' && file.name === nameOf(number)) number += 1n;
  }
  return number;
}

/** What the pieces of an open segment make up from its start. */
async function bytesInPieces(
  { store }: Repository,
  segment: string,
  signal: AbortSignal,
): Promise<number> {
  const pieces = [];
  for await (const { key } of store.list(piecesFolder(segment), { signal, shallow: true })) {
    const piece = parsePieceKey(segment, key);
    if (piece !== undefined) pieces.push(piece);
  }
  return Math.max(0, ...[...byRun(pieces)].map(([run, own]) => longestChain(run, own).end));
}

function nameOf(number: bigint): string {
  return formatSegment({ timeline: 1, number }, SEGMENT_BYTES);
}
