import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readOptions } from './options.ts';

describe('readOptions', () => {
  test('measures 2 GiB three times in both stores by default', () => {
    const options = readOptions([], '/home');
    assert.equal(options.sizeGib, 2);
    assert.equal(options.rounds, 3);
    assert.equal(options.walRounds, 3);
    assert.deepEqual(options.stores, ['directory', 's3']);
    assert.equal(options.out, '/home');
  });
  test('lets single options win over --quick', () => {
    const options = readOptions(['--quick', '--rounds', '2', '--wal-rounds', '1'], '/home');
    assert.equal(options.rounds, 2);
    assert.equal(options.walRounds, 1);
    assert.equal(options.sizeGib, 0.2);
  });
  for (const wrong of [
    ['--size', 'big'],
    ['--rounds', '0'],
    ['--wal-rounds', '0'],
    ['--codec', 'gzip'],
    ['--store', 'dir,tape'],
    ['--scenarios', 'plain,drill'],
    ['--only', 'nobody'],
    ['--fast'],
  ]) {
    test(`refuses ${wrong.join(' ')}`, () => {
      assert.throws(() => readOptions(wrong, '/home'), TypeError);
    });
  }
});
