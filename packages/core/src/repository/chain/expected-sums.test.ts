import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NameIndexBuilder } from '../../kernel/name-index.ts';
import { treePath } from '../../format/tree-path.ts';
import { ExpectedSums } from './expected-sums.ts';

const path = (number: number): ReturnType<typeof treePath> => treePath(`base/1/${number}`);
const crc = (number: number): string => number.toString(16).padStart(8, '0');

for (const known of [0, 2000, 10_000]) {
  test(`expected sums know each file when ${known} of 5000 names are known before`, () => {
    const names = new NameIndexBuilder();
    for (let number = 0; number < known; number += 1) names.add(path(number));
    const sums = new ExpectedSums(names.index());
    for (let number = 0; number < 5000; number += 1) {
      sums.add(path(number), { bytes: number, checksum: crc(number) });
    }
    assert.equal(sums.left, 5000);
    assert.equal(sums.numberOf(path(9000)), undefined, 'a name alone is not expected');
    for (let number = 0; number < 5000; number += 1) {
      const found = sums.take(path(number));
      assert.ok(found !== undefined && sums.bytesOf(found) === number);
      assert.ok(sums.hasChecksum(found, crc(number)) && !sums.hasChecksum(found, crc(number + 1)));
    }
    assert.deepEqual(
      [sums.left, sums.take(path(7)), sums.numberOf(path(7))],
      [0, undefined, undefined],
    );
  });
}

test('expected sums take the last of two entries, and compare as much of a SHA as is beyond chance', () => {
  const sums = new ExpectedSums();
  sums.add(path(1), { bytes: 1, checksum: 'ab'.repeat(32) });
  sums.add(path(1), { bytes: 2, checksum: 'cd'.repeat(32) });
  const number = sums.take(path(1)) ?? -1;
  assert.deepEqual([sums.left, sums.bytesOf(number)], [0, 2]);
  assert.equal(sums.hasChecksum(number, 'cd'.repeat(32)), true);
  assert.equal(sums.hasChecksum(number, 'ab'.repeat(32)), false);
  assert.equal(sums.hasChecksum(number, `${'cd'.repeat(15)}00${'cd'.repeat(16)}`), false);
});

test('expected sums of files without checksums know their lengths', () => {
  const sums = new ExpectedSums();
  sums.add(path(1), { bytes: 5, checksum: '' });
  const number = sums.take(path(1)) ?? -1;
  assert.deepEqual([sums.bytesOf(number), sums.hasChecksum(number, '')], [5, true]);
});
