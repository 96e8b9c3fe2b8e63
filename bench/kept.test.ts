import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withKept } from './kept.ts';
import { readOptions } from './options.ts';
import { renderPage } from './report/page.ts';
import type { Measurement, Results } from './results.ts';

const backup: Measurement = {
  scenario: 'backup',
  store: 'directory',
  encrypted: false,
  contender: 'tsbk-local',
  round: 1,
};

function results(startedAt: string, given: Partial<Results>): Results {
  return {
    format: 1,
    startedAt,
    machine: {},
    versions: {},
    options: { sizeGib: 1, rounds: 3, codec: 'lz4', width: 2 },
    cluster: { bytes: 1024 ** 3, files: 10, postgres: '14' },
    contenders: [],
    walContenders: [],
    measurements: [],
    effects: [],
    ...given,
  };
}

test('keeps what was not measured again, and says since when', () => {
  const cp = { id: 'cp', title: 'cp', note: 'copies', excluded: [] };
  const earlier = results('2026-01-02T03:04:05.000Z', {
    walContenders: [cp],
    measurements: [
      backup,
      { ...backup, encrypted: true },
      { ...backup, scenario: 'wal-drain' },
      { ...backup, scenario: 'restore' },
    ],
    effects: [{ contender: 'tsbk-local', round: 1 }],
    losses: [{ round: 1, receiver: 'killed' }],
  });
  const now = results('2026-05-06T07:08:09.000Z', { measurements: [{ ...backup, round: 2 }] });
  const all = withKept(now, earlier, readOptions(['--scenarios', 'plain,loss'], '.'));
  assert.deepEqual(all.measurements, [
    { ...backup, round: 2 },
    { ...backup, encrypted: true },
    { ...backup, scenario: 'wal-drain' },
  ]);
  assert.deepEqual(all.walContenders, [cp]);
  assert.deepEqual([all.effects, all.losses], [earlier.effects, []]);
  assert.deepEqual(
    all.kept?.map(({ scenarios }) => scenarios),
    [['effect', 'encrypted', 'wal']],
  );
  assert.match(
    renderPage(all),
    /kept from the run of 2026-01-02 with 1\.0 GiB,\s+lz4, 3 rounds: effect, encrypted, wal\./,
  );
});

test('names each run of which something is left', () => {
  const first = results('2026-01-01T00:00:00.000Z', {
    measurements: [backup, { ...backup, encrypted: true }, { ...backup, scenario: 'wal-drain' }],
  });
  const measured = { measurements: [{ ...backup, encrypted: true, round: 2 }] };
  const second = withKept(
    results('2026-02-02T00:00:00.000Z', measured),
    first,
    readOptions(['--scenarios', 'encrypted'], '.'),
  );
  const third = withKept(
    results('2026-03-03T00:00:00.000Z', { measurements: [backup] }),
    second,
    readOptions(['--scenarios', 'plain'], '.'),
  );
  assert.deepEqual(
    third.kept?.map(({ startedAt, scenarios }) => [startedAt.slice(0, 10), ...scenarios]),
    [
      ['2026-02-02', 'encrypted'],
      ['2026-01-01', 'wal'],
    ],
  );
});

test('says nothing of an earlier run of which nothing is left', () => {
  const now = results('2026-05-06T07:08:09.000Z', { measurements: [backup] });
  const all = withKept(now, results('2026-01-02T03:04:05.000Z', {}), readOptions([], '.'));
  assert.equal(all, now);
  assert.doesNotMatch(renderPage(all), /kept from/);
});
