import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { PIECE_BYTES_MAX } from '../repository/wal-piece.ts';
import { planPiece, type Rung } from './piece-ladder.ts';

const SEGMENT_BYTES = 16 * 1024 * 1024;

/** Stores pieces as bytes arrive; gives what is there afterwards and how much was stored in all. */
function climb(arrivals: Iterable<number>): {
  rungs: readonly Rung[];
  filled: number;
  stored: number;
} {
  let rungs: readonly Rung[] = [];
  let filled = 0;
  let stored = 0;
  for (const bytes of arrivals) {
    filled = Math.min(SEGMENT_BYTES, filled + bytes);
    while ((rungs.at(-1)?.to ?? 0) < filled) {
      const { from, to, level, replaces } = planPiece(rungs, filled);
      assert.ok(to > (rungs.at(-1)?.to ?? 0), 'each piece holds something new');
      assert.ok(to - from <= PIECE_BYTES_MAX);
      rungs = [...rungs.slice(0, rungs.length - replaces.length), { from, to, level, key: '' }];
      stored += to - from;
    }
  }
  return { rungs, filled, stored };
}

function isChain(rungs: readonly Rung[], filled: number): boolean {
  return (
    rungs.every(({ from }, n) => from === (rungs[n - 1]?.to ?? 0)) && rungs.at(-1)?.to === filled
  );
}

test('pieces follow on each other without a gap, however the bytes arrive', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 3_000_000 }), { minLength: 1 }), (arrivals) => {
      const { rungs, filled } = climb(arrivals);
      return isChain(rungs, filled);
    }),
  );
});

test('a server that writes little for a day leaves few pieces, and each byte is stored a few times', () => {
  const day = Array.from({ length: 86_400 }, () => 150);
  const { rungs, filled, stored } = climb(day);
  assert.ok(rungs.length < 90, `${rungs.length} pieces`);
  assert.ok(isChain(rungs, filled));
  assert.ok(stored < filled * 6, `${stored} bytes stored for ${filled}`);
});
