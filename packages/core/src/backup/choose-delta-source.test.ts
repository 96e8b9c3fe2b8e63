import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { chooseDeltaSource, type DeltaWays } from './choose-delta-source.ts';

const REMOTE: DeltaWays = {
  local: false,
  majorVersion: 17,
  summarizesWal: true,
  manifestProblem: undefined,
};

function noneBecause(ways: DeltaWays, reason: RegExp): void {
  const choice = chooseDeltaSource('server', ways);
  assert.equal(choice.kind, 'none');
  assert.match(choice.reason, reason);
}

describe('chooseDeltaSource', () => {
  it('never asks a server that cannot', () => {
    noneBecause({ ...REMOTE, majorVersion: 16 }, /PostgreSQL 16 does not summarize/);
    noneBecause({ ...REMOTE, summarizesWal: false }, /summarize_wal is off/);
    noneBecause({ ...REMOTE, manifestProblem: 'b has no backup_manifest' }, /b has no/);
    noneBecause({ ...REMOTE, local: true }, /reads the files itself/);
  });

  it('has others after the cheapest one, unless one was asked for', () => {
    const of = (wish: 'auto' | 'server', ways: DeltaWays) => {
      const choice = chooseDeltaSource(wish, ways);
      assert.equal(choice.kind, 'source');
      return [choice.source, ...choice.others];
    };
    assert.deepEqual(of('auto', REMOTE), ['server', 'stream']);
    assert.deepEqual(of('auto', { ...REMOTE, summarizesWal: false }), ['stream']);
    assert.deepEqual(of('auto', { ...REMOTE, local: true }), ['summaries', 'files']);
    assert.deepEqual(of('server', REMOTE), ['server']);
  });

  it('says why there is none', () => {
    const choice = chooseDeltaSource('files', REMOTE);
    assert.deepEqual(choice, {
      kind: 'none',
      reason: 'TSBK_DELTA_SOURCE is files, and the server sends its files',
    });
  });
});
