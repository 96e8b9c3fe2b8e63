import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isTsbkError } from '../kernel/errors.ts';
import { instantFromMs, type Instant } from '../kernel/instant.ts';
import { toLsn } from '../kernel/lsn.ts';
import { parseSentinel } from '../repository/sentinel.ts';
import type { BackupSummary } from '../repository/catalog.ts';
import type { JsonObject } from '../format/json.ts';
import { formatInstant } from '../kernel/instant.ts';
import { candidateBackups } from './choose-backup.ts';

const minute = (n: number): Instant => instantFromMs(Date.UTC(2026, 10, 22, 10, n));

/** A backup that starts at minute `start`, takes five, and ends at LSN `stop`. */
function backup(name: string, start: number, stop: number, more: JsonObject = {}): BackupSummary {
  const sentinel = {
    LSN: stop - 1,
    FinishLSN: stop,
    StartTime: formatInstant(minute(start)),
    FinishTime: formatInstant(minute(start + 5)),
    ...more,
  };
  return {
    name,
    // The store's time says nothing: this one was copied there in another order.
    modified: minute(60 - start),
    sentinel: parseSentinel(sentinel, name),
    metadata: undefined,
  };
}

const ALL = [backup('b', 20, 2000), backup('c', 40, 3000), backup('a', 0, 1000)];

const names = (backups: readonly BackupSummary[]): string[] => backups.map(({ name }) => name);

describe('candidateBackups', () => {
  it('puts the full backup that a delta was merged to before the delta', () => {
    const link = { DeltaFrom: 'c', DeltaLSN: 1, DeltaFullName: 'c', DeltaCount: 1 };
    const delta = backup('d_D_c', 50, 4000, link);
    const merged = backup('d_merged', 50, 4000);
    for (const both of [
      [delta, merged],
      [merged, delta],
    ]) {
      const candidates = candidateBackups([...ALL, ...both], { kind: 'latest' });
      assert.deepEqual(names(candidates).slice(0, 3), ['d_merged', 'd_D_c', 'c']);
    }
  });

  it('puts the newest by start time first', () => {
    assert.deepEqual(names(candidateBackups(ALL, { kind: 'latest' })), ['c', 'b', 'a']);
  });

  it('takes only those that end before a time', () => {
    const at = (n: number) => ({ kind: 'time', time: minute(n), inclusive: true }) as const;
    assert.deepEqual(names(candidateBackups(ALL, at(44))), ['b', 'a']);
    assert.deepEqual(names(candidateBackups(ALL, at(45))), ['c', 'b', 'a']);
  });

  it('takes only those that end before an LSN', () => {
    const at = (n: number) => ({ kind: 'lsn', lsn: toLsn(n), inclusive: true }) as const;
    assert.deepEqual(names(candidateBackups(ALL, at(2999))), ['b', 'a']);
    assert.deepEqual(names(candidateBackups(ALL, at(2000))), ['b', 'a']);
  });

  it('does not take a backup whose end nobody knows for one that ends before an LSN', () => {
    const unknown = backup('d', 50, 1, { FinishLSN: null });
    const target = { kind: 'lsn', lsn: toLsn(5000), inclusive: true } as const;
    assert.deepEqual(names(candidateBackups([unknown, ...ALL], target)), ['c', 'b', 'a']);
  });

  it('refuses a target before the end of every backup, and says which is the first', () => {
    const target = { kind: 'time', time: minute(3), inclusive: true } as const;
    assert.throws(
      () => candidateBackups(ALL, target),
      (error) =>
        isTsbkError(error, 'target-unreachable') &&
        /\(a\) ended 2026-11-22T10:05:00Z at LSN 0\/3E8/.test(error.hint ?? ''),
    );
  });

  it('refuses an empty repository', () => {
    assert.throws(
      () => candidateBackups([], { kind: 'latest' }),
      (error) => isTsbkError(error, 'backup-missing'),
    );
  });
});
