import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { toLsn } from './lsn.ts';
import {
  formatSegment,
  isSegmentSize,
  parseSegment,
  parseWalFileName,
  segmentNumberAt,
  segmentStart,
} from './wal-file.ts';

const MIB = 1024 * 1024;
const sizes = fc.integer({ min: 0, max: 10 }).map((power) => MIB * 2 ** power);

test('parseSegment reads what formatSegment writes, for every segment size', () => {
  const segments = fc.record({
    timeline: fc.integer({ min: 1, max: 0xffff_ffff }),
    number: fc.bigInt({ min: 0n, max: 0xffff_ffffn }),
  });
  fc.assert(
    fc.property(segments, sizes, (segment, bytes) => {
      assert.deepEqual(parseSegment(formatSegment(segment, bytes), bytes), { ...segment });
    }),
  );
});

test('segment names are what PostgreSQL makes of an LSN', () => {
  const name = (lsn: bigint, bytes: number): string =>
    formatSegment({ timeline: 1, number: segmentNumberAt(toLsn(lsn), bytes) }, bytes);
  assert.equal(name(0x2000028n, 16 * MIB), '000000010000000000000002');
  assert.equal(name(0x1_ff00_0000n, 16 * MIB), '0000000100000001000000FF');
  assert.equal(name(0x2_0000_0000n, 16 * MIB), '000000010000000200000000');
  assert.equal(name(0x1_8000_0000n, 1024 * MIB), '000000010000000100000002');
  assert.equal(name(0x0010_0000n, MIB), '000000010000000000000001');
  assert.equal(segmentStart(2n, 16 * MIB), 0x2000000n);
});

test('parseSegment refuses names that cannot occur with the segment size', () => {
  assert.equal(parseSegment('000000010000000000000100', 16 * MIB), undefined);
  assert.notEqual(parseSegment('000000010000000000000100', MIB), undefined);
  assert.equal(parseSegment('00000001000000000000000a', 16 * MIB), undefined);
});

test('parseWalFileName knows the four kinds and nothing else', () => {
  const segment = '0000000A00000000000000FF';
  assert.deepEqual(parseWalFileName(segment), { kind: 'segment', name: segment, timeline: 10 });
  assert.equal(parseWalFileName(`${segment}.partial`)?.kind, 'partial');
  assert.equal(parseWalFileName('0000000A.history')?.timeline, 10);
  const backup = parseWalFileName(`${segment}.00000028.backup`);
  assert.equal(backup?.kind === 'backup-history' && backup.segment, segment);
  const others = [
    segment.toLowerCase(),
    `${segment}.lz4`,
    `${segment}.partial.x`,
    `../${segment}`,
    `${segment}\n`,
    '00000000000000000000000A',
    '00000000.history',
    'RECOVERYXLOG',
    '',
  ];
  for (const name of others) assert.equal(parseWalFileName(name), undefined, JSON.stringify(name));
});

test('isSegmentSize accepts the powers of two that initdb does', () => {
  assert.ok([1, 16, 64, 1024].every((mib) => isSegmentSize(mib * MIB)));
  assert.ok(![0, 3 * MIB, 512 * 1024, 2048 * MIB].some(isSegmentSize));
});
