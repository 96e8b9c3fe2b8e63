import { TsbkError } from '../kernel/errors.ts';
import type { SystemId } from '../kernel/system-id.ts';
import type { ByteSource } from '../ports/bytes.ts';
import { PIECES_FOLDER, piecesFolder } from './layout.ts';
import { byRun } from './piece-runs.ts';
import { chainPieces, prove, type FoundPiece, type ProvenRun } from './prove-pieces.ts';
import type { Repository, RunOptions } from './repository.ts';
import { parsePieceKey } from './wal-piece.ts';

/** The beginning of a segment, as far as its pieces prove it. */
export interface SegmentPrefix {
  readonly segment: string;
  /** From the start of the segment without a gap, all of one run. */
  readonly bytes: number;
  readonly segmentBytes: number;
  readonly systemId: SystemId;
  /** Where the pieces lie, for messages. */
  readonly folder: string;
  /**
   * Whether another run has other bytes at the same place: two servers wrote this segment, and
   * which of them is the one that counts cannot be known here.
   */
  readonly isDisputed: boolean;
  /** Keys of pieces that reach further than what their run proves: one of them is damaged or missing. */
  readonly unproven: readonly string[];
  /** The prefix, then zeros up to the size of a segment. Each piece is verified before it is given. */
  content(): ByteSource;
  /**
   * Removes the pieces that all this was told by: for when the whole segment is in the archive, with the
   * content that they have. Pieces that came since, and those that are not proven, have been compared
   * with nothing, and stay.
   */
  remove(options: RunOptions): Promise<void>;
}

/**
 * The longest prefix of a segment that pieces of one run prove, every one of them read and verified;
 * `undefined` if there is none. A damaged piece ends its run's prefix. What lies in the archive as a
 * whole segment is not looked at: ask for that first.
 */
export async function openPieces(
  repository: Repository,
  segment: string,
  { signal }: RunOptions,
): Promise<SegmentPrefix | undefined> {
  const { proven, listed } = await proveAll(repository, segment, { signal });
  const ends = new Map(proven.map(({ chain }) => [chain.run, chain.end]));
  const isProven = ({ run, to }: FoundPiece): boolean => to <= (ends.get(run) ?? 0);
  proven.sort((a, b) => b.chain.end - a.chain.end || a.chain.run.localeCompare(b.chain.run));
  const [best] = proven;
  // With less than a page header nobody can tell what it is.
  if (best === undefined || best.chain.end < HEADER_BYTES) return undefined;
  const { chain, segmentBytes, systemId } = best;
  return {
    segment,
    bytes: chain.end,
    segmentBytes,
    systemId,
    folder: `${repository.store.url}/${piecesFolder(segment)}`,
    isDisputed: proven.some((other) => !agree(best, other)),
    unproven: listed.filter((piece) => !isProven(piece)).map(({ key }) => key),
    content: () => contentOf(repository, best, { signal }),
    remove: async (options) => {
      await removeAll(repository, listed.filter(isProven), options);
    },
  };
}

/** Names of the segments of which there are pieces, in order. */
export async function* segmentsWithPieces(
  { store }: Repository,
  { signal }: RunOptions,
): AsyncGenerator<string, void, undefined> {
  for await (const folder of store.folders(PIECES_FOLDER, { signal })) {
    if (/^[0-9A-F]{24}$/.test(folder)) yield folder;
  }
}

/** Removes what one run has stored of a segment: for when it has archived the whole. */
export async function removePieces(
  repository: Repository,
  { segment, run }: { readonly segment: string; readonly run: string },
  { signal }: RunOptions,
): Promise<void> {
  const listed = await listPieces(repository, segment, { signal });
  await removeAll(
    repository,
    listed.filter((piece) => piece.run === run),
    { signal },
  );
}

/** From the end: who is killed in between leaves a beginning, which still proves what it is. */
async function removeAll(
  { store }: Repository,
  pieces: readonly FoundPiece[],
  { signal }: RunOptions,
): Promise<void> {
  const fromEnd = pieces.toSorted((a, b) => b.from - a.from || b.to - a.to);
  for (const { key } of fromEnd) await store.remove(key, { signal });
}

/** Of a segment's first page. */
const HEADER_BYTES = 40;

/** A receiver folds pieces less often than they are listed twice. */
const LISTINGS_MAX = 4;

interface Judged {
  readonly proven: ProvenRun[];
  /** All pieces that it was judged by. */
  readonly listed: readonly FoundPiece[];
}

/**
 * What each run proves. A listing that is read while pieces are folded may have neither them nor what they
 * became, so that one is believed which the next one adds nothing to; one that proves the whole
 * segment needs nothing added.
 */
async function proveAll(
  repository: Repository,
  segment: string,
  { signal }: RunOptions,
): Promise<Judged> {
  let listed = await listPieces(repository, segment, { signal });
  for (let left = LISTINGS_MAX - 1; ; left -= 1) {
    const proven: ProvenRun[] = [];
    for (const [run, pieces] of byRun(listed)) {
      const found = await prove(repository, { run, pieces }, { signal });
      if (found !== undefined) proven.push(found);
    }
    const isWhole = proven.some(({ chain, segmentBytes }) => chain.end === segmentBytes);
    if (listed.length === 0 || left === 0 || isWhole) return { proven, listed };
    const known = new Set(listed.map(({ key }) => key));
    const again = await listPieces(repository, segment, { signal });
    if (again.every(({ key }) => known.has(key))) return { proven, listed };
    listed = again;
  }
}

async function listPieces(
  { store }: Repository,
  segment: string,
  { signal }: RunOptions,
): Promise<FoundPiece[]> {
  const found: FoundPiece[] = [];
  for await (const { key } of store.list(piecesFolder(segment), { signal, shallow: true })) {
    const name = parsePieceKey(segment, key);
    if (name !== undefined) found.push({ ...name, key });
  }
  return found;
}

function agree(a: ProvenRun, b: ProvenRun): boolean {
  if (a.systemId !== b.systemId || a.segmentBytes !== b.segmentBytes) return false;
  const common = Math.min(a.pageSums.length, b.pageSums.length);
  return a.pageSums.slice(0, common).every((sum, page) => sum === b.pageSums[page]);
}

const ZEROS_BYTES = 1024 * 1024;

async function* contentOf(
  repository: Repository,
  { chain, segmentBytes }: ProvenRun,
  { signal }: RunOptions,
): ByteSource {
  for await (const { piece, found, fresh } of chainPieces(repository, chain, { signal })) {
    if (piece === undefined) {
      const url = `${repository.store.url}/${found.key}`;
      throw new TsbkError('object-corrupt', `${url} was whole a moment ago, and is not now`);
    }
    yield fresh;
  }
  for (let left = segmentBytes - chain.end; left > 0; left -= ZEROS_BYTES) {
    yield new Uint8Array(Math.min(left, ZEROS_BYTES));
  }
}
