import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { toInstant } from '../kernel/instant.ts';
import { parseLsn, toLsn } from '../kernel/lsn.ts';
import type { BackupSummary } from './catalog.ts';
import { segmentSizeByName } from './segment-size.ts';
import { parseSentinel } from './sentinel.ts';

function backup(segment: string, lsn: string): BackupSummary {
  const startLsn = parseLsn(lsn) ?? toLsn(0);
  return {
    name: `base_${segment}`,
    modified: toInstant(0n),
    sentinel: parseSentinel({ LSN: startLsn, FinishLSN: startLsn, PgVersion: 170_005 }, 'sentinel'),
    metadata: undefined,
  };
}

describe('the size of segments', () => {
  it('is told by the name of a backup and where it began', () => {
    const mib = 1024 ** 2;
    assert.equal(segmentSizeByName([backup('00000001000000000000000F', '0/F00028')]), mib);
    assert.equal(segmentSizeByName([backup('00000002000000010000000A', '1/A000028')]), 16 * mib);
    assert.equal(segmentSizeByName([backup('000000010000000500000003', '5/C0000028')]), 1024 * mib);
  });

  it('is not guessed where several fit, or none', () => {
    assert.equal(segmentSizeByName([]), undefined);
    assert.equal(segmentSizeByName([backup('000000010000000000000000', '0/28')]), undefined);
    assert.equal(segmentSizeByName([backup('0000000100000000000000FF', '0/28')]), undefined);
  });
});
