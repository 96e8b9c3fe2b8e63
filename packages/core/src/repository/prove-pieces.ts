import { isTsbkError, TsbkError } from '../kernel/errors.ts';
import type { SystemId } from '../kernel/system-id.ts';
import { crc32c } from '../format/crc32c.ts';
import { longestChain, type PieceChain } from './piece-runs.ts';
import type { Repository, RunOptions } from './repository.ts';
import { readPiece, type PieceName, type WalPiece } from './wal-piece.ts';

/** A piece as the store lists it. */
export interface FoundPiece extends PieceName {
  readonly key: string;
}

/** What the pieces of one run prove: the beginning of a segment. */
export interface ProvenRun {
  readonly chain: PieceChain<FoundPiece>;
  readonly segmentBytes: number;
  readonly systemId: SystemId;
  /** Of each page that is there to its end, in order: what tells two runs apart. */
  readonly pageSums: readonly number[];
}

const PAGE_BYTES = 8192;

/**
 * Reads a run's chain; starts over without a piece that is damaged. `undefined` if it proves nothing.
 * Throws `object-missing`, which asks for another try, for a piece that has gone since it was listed.
 */
export async function prove(
  repository: Repository,
  { run, pieces }: { readonly run: string; readonly pieces: readonly FoundPiece[] },
  { signal }: RunOptions,
): Promise<ProvenRun | undefined> {
  let usable = pieces;
  for (;;) {
    const chain = longestChain(run, usable);
    if (chain.end === 0) return undefined;
    const proven = await readChain(repository, chain, { signal });
    if ('pageSums' in proven) return proven;
    usable = usable.filter((piece) => piece !== proven.bad);
  }
}

async function readChain(
  repository: Repository,
  chain: PieceChain<FoundPiece>,
  { signal }: RunOptions,
): Promise<ProvenRun | { readonly bad: FoundPiece | undefined }> {
  const pages = pageSums();
  let first: WalPiece | undefined;
  for await (const { piece, found, fresh } of chainPieces(repository, chain, { signal })) {
    first ??= piece;
    if (piece === undefined || first === undefined || !isOfSame(first, piece)) {
      return { bad: found };
    }
    pages.add(fresh);
  }
  if (first === undefined) return { bad: undefined };
  const { segmentBytes, systemId } = first;
  return { segmentBytes, systemId, chain, pageSums: pages.done() };
}

/** Whether two pieces can be of one segment. */
function isOfSame(a: WalPiece, b: WalPiece): boolean {
  return a.segmentBytes === b.segmentBytes && a.systemId === b.systemId && b.to <= a.segmentBytes;
}

export interface ReadStep {
  readonly found: FoundPiece;
  /** Absent if it is damaged. */
  readonly piece: WalPiece | undefined;
  /** What it adds to those before it. */
  readonly fresh: Uint8Array;
}

/** Reads the pieces of a chain, one after the other. */
export async function* chainPieces(
  repository: Repository,
  { pieces }: PieceChain<FoundPiece>,
  { signal }: RunOptions,
): AsyncGenerator<ReadStep, void, undefined> {
  let end = 0;
  for (const found of pieces) {
    const piece = await readOrBad(repository, found, { signal });
    const fresh = piece?.data.subarray(end - found.from) ?? new Uint8Array();
    yield { found, piece, fresh };
    end = found.to;
  }
}

/** How often a piece is read before it is believed to lie there damaged: an answer can be, on its way. */
const READINGS_MAX = 3;

async function readOrBad(
  repository: Repository,
  found: FoundPiece,
  { signal }: RunOptions,
): Promise<WalPiece | undefined> {
  const { key, ...name } = found;
  for (let reading = 1; reading <= READINGS_MAX; reading += 1) {
    try {
      return (await readPiece(repository, { name, key }, { signal })) ?? movedOn(repository, found);
    } catch (error) {
      const isDamaged =
        isTsbkError(error, 'object-corrupt') || isTsbkError(error, 'object-truncated');
      if (!isDamaged) throw error;
    }
  }
  return undefined;
}

/**
 * A piece that was listed is gone: a receiver has folded it, and the whole segment may be in the archive
 * by now. So nothing is concluded from what is left; whoever asks again sees what is there then.
 */
function movedOn({ store }: Repository, { key }: FoundPiece): never {
  throw new TsbkError('object-missing', `${store.url}/${key} went away while it was asked for`, {
    hint: 'A receiver is at work on this segment: ask again.',
    retry: true,
  });
}

function pageSums(): { add(bytes: Uint8Array): void; done(): number[] } {
  const sums: number[] = [];
  let crc = 0;
  let filled = 0;
  return {
    add: (bytes) => {
      for (let at = 0; at < bytes.length;) {
        const take = Math.min(PAGE_BYTES - filled, bytes.length - at);
        crc = crc32c(bytes.subarray(at, at + take), crc);
        filled += take;
        at += take;
        if (filled < PAGE_BYTES) return;
        sums.push(crc);
        crc = 0;
        filled = 0;
      }
    },
    done: () => sums,
  };
}
