import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { instantFromMs } from '../../kernel/instant.ts';
import { isTempName, parseTempName, tempName } from './temp-name.ts';

const now = instantFromMs(Date.UTC(2025, 1, 3, 4, 5, 6, 789));

describe('the name of an unfinished upload', () => {
  it('is the one that WAL-G hides', () => {
    const name = tempName('wal_005/000000010000000000000001.lz4', now);
    assert.match(
      name,
      /^wal_005\/000000010000000000000001\.lz4\.tmp\.20250203T040506Z-[0-9a-f]{16}$/,
    );
    assert.notEqual(name, tempName('wal_005/000000010000000000000001.lz4', now));
  });

  it('tells the object and the second it was begun', () => {
    const parsed = parseTempName(tempName('a/b.tmp.c', now));
    assert.deepEqual(parsed, {
      target: 'a/b.tmp.c',
      started: instantFromMs(Date.UTC(2025, 1, 3, 4, 5, 6)),
    });
  });

  it('is not any name with .tmp. in it', () => {
    const stamp = '20250203T040506Z';
    for (const name of [
      'a',
      'a.tmp',
      `a.tmp.${stamp}`,
      `a.tmp.${stamp}-0123456789abcde`,
      `a.tmp.${stamp}-0123456789ABCDEF`,
      `a.tmp.${stamp}-0123456789abcdef.lz4`,
      `a/.tmp.${stamp}-0123456789abcdef`,
      `.tmp.${stamp}-0123456789abcdef`,
    ]) {
      assert.equal(isTempName(name), false, name);
    }
  });
});
