import type { PieceName } from './wal-piece.ts';

/** Pieces of one run that follow on each other from the start of the segment. */
export interface PieceChain<P extends PieceName> {
  readonly run: string;
  readonly pieces: readonly P[];
  /** Where the last one ends. */
  readonly end: number;
}

/** The pieces of each run. */
export function byRun<P extends PieceName>(pieces: readonly P[]): Map<string, P[]> {
  const runs = new Map<string, P[]>();
  for (const piece of pieces) runs.set(piece.run, [...(runs.get(piece.run) ?? []), piece]);
  return runs;
}

/**
 * The longest chain that pieces of one run make: each begins at or before the end of the one before
 * it. An attempt of unknown outcome may have left a piece that a later one holds again, longer.
 */
export function longestChain<P extends PieceName>(
  run: string,
  pieces: readonly P[],
): PieceChain<P> {
  const chain: P[] = [];
  let end = 0;
  for (;;) {
    let next: P | undefined;
    for (const piece of pieces) {
      if (piece.from <= end && piece.to > (next?.to ?? end)) next = piece;
    }
    if (next === undefined) return { run, pieces: chain, end };
    chain.push(next);
    end = next.to;
  }
}
