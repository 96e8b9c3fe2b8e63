import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseHistoryFile } from '../format/history-file.ts';
import { namesAhead } from './prefetch-path.ts';

const MIB = 1024 * 1024;
// Timeline 2 begins in segment 5, timeline 4 in segment 9; 3 is of another branch.
const SECOND = parseHistoryFile('1\t0/500100\tfirst\n', '00000002.history');
const FOURTH = parseHistoryFile('1\t0/500100\tfirst\n2\t0/900200\tsecond\n', '00000004.history');

function ahead(timeline: number, at: bigint, number: bigint, histories = [SECOND, FOURTH]) {
  const path = { at: { timeline, number: at }, segmentBytes: MIB, histories };
  return namesAhead(path, number).map(
    (name) => `${Number(`0x${name.slice(0, 8)}`)}/${name.slice(-2)}`,
  );
}

describe('the names that recovery will ask for', () => {
  it('are of the timeline it is on where it was given no history', () => {
    assert.deepEqual(ahead(1, 3n, 4n, []), ['1/04']);
    assert.deepEqual(ahead(3, 3n, 4n, []), ['3/04']);
  });

  it('are of a parent until the next timeline begins', () => {
    assert.deepEqual(ahead(1, 3n, 4n), ['1/04']);
  });

  it('at a switch are of the new timeline, then of the parent', () => {
    assert.deepEqual(ahead(1, 4n, 5n), ['2/05', '1/05']);
    assert.deepEqual(ahead(2, 8n, 9n), ['4/09', '2/09']);
    assert.deepEqual(ahead(1, 4n, 9n), ['4/09', '2/09', '1/09']);
  });

  it('are never of a timeline below the one it is on', () => {
    assert.deepEqual(ahead(2, 5n, 6n), ['2/06']);
    assert.deepEqual(ahead(4, 9n, 10n), ['4/0A']);
  });

  it('on a timeline that the newest history does not know are of that one', () => {
    assert.deepEqual(ahead(3, 6n, 7n), ['3/07']);
  });
});
