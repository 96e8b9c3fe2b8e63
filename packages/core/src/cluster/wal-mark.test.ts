import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { mustExist, parseWalMark, readWalMark, writeWalMark } from './wal-mark.ts';

const MARK = {
  segmentBytes: 16 * 1024 * 1024,
  histories: ['00000002.history'],
  ranges: [
    { first: '0000000100000000000000FE', last: '000000010000000100000001' },
    { first: '000000020000000100000001', last: '000000020000000100000003' },
  ],
};

test('a mark knows the segments of its ranges, across the carry, and no others', () => {
  const known = mustExist(MARK);
  const inside = [
    '0000000100000000000000FF',
    '000000010000000100000000',
    '000000020000000100000002',
  ];
  const outside = [
    '0000000100000000000000FD',
    '000000010000000100000002',
    '000000030000000100000002',
    '00000003.history',
    'nonsense',
  ];
  assert.deepEqual(inside.filter(known), inside);
  assert.deepEqual(outside.filter(known), []);
});

test('a mark comes back from a data directory; one without a mark has none', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'tsbk-'));
  try {
    assert.equal(await readWalMark(directory), undefined);
    await mkdir(join(directory, 'pg_wal'));
    await writeWalMark(directory, MARK);
    assert.equal((await readWalMark(directory))?.('0000000100000000000000FF'), true);
  } finally {
    await rm(directory, { recursive: true });
  }
});

test('a damaged mark is refused, not taken for none', () => {
  assert.throws(() => parseWalMark('{"ranges":[{"first":1}]}'), /record-invalid|tsbk_restore/);
});
