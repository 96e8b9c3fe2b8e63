import { PIECE_BYTES_MAX } from '../repository/wal-piece.ts';

/** A piece that is stored: how often its bytes were put together with those of others. */
export interface Rung {
  readonly from: number;
  readonly to: number;
  readonly level: number;
  readonly key: string;
}

/** What to store next. */
export interface PlannedPiece {
  readonly from: number;
  readonly to: number;
  readonly level: number;
  /** Pieces whose bytes it holds too: of no use any more once it is stored. */
  readonly replaces: readonly Rung[];
}

/** So many pieces of one level become one of the next. */
const WIDTH = 16;

/**
 * The next piece of a segment of which `rungs` are stored and the bytes up to `filled` are there. A
 * server that writes little would leave a piece each second for days, and a restore would have to
 * fetch them all: so every sixteenth takes the fifteen before it along, and so on upwards, as far as a
 * piece may be long. Each byte is stored a few times, and a segment is never in more than some
 * eighty pieces, besides the full ones.
 */
export function planPiece(rungs: readonly Rung[], filled: number): PlannedPiece {
  const last = rungs.at(-1);
  let from = last?.to ?? 0;
  const to = Math.min(filled, from + PIECE_BYTES_MAX);
  let level = 0;
  let keep = rungs.length;
  for (;;) {
    let first = keep;
    while (first > 0 && rungs[first - 1]?.level === level) first -= 1;
    const start = rungs[first]?.from;
    if (keep - first < WIDTH - 1 || start === undefined || to - start > PIECE_BYTES_MAX) break;
    keep = first;
    from = start;
    level += 1;
  }
  return { from, to, level, replaces: rungs.slice(keep) };
}
