import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Measurement, Results } from '../results.ts';
import { renderChart } from './chart.ts';
import { renderPage } from './page.ts';
import { summarize } from './summary.ts';
import { renderText } from './text.ts';
import { summarizeLosses } from './losses.ts';
import { summarizeWaits } from './waits.ts';

const GIB = 1024 ** 3;

function backup(contender: string, round: number, wallMs: number): Measurement {
  const usage = {
    wallMs,
    cpuMs: wallMs * 2,
    serverCpuMs: 500,
    storeCpuMs: 0,
    peakPssBytes: 100 * 1024 ** 2,
    peakRssBytes: 120 * 1024 ** 2,
  };
  const where = { scenario: 'backup', store: 'directory', encrypted: false } as const;
  return { ...where, contender, round, usage, storedBytes: GIB / 4 };
}

function resultsOf(measurements: readonly Measurement[]): Results {
  const contenders = [
    { id: 'tsbk-remote', title: 'tsbk, protocol', note: 'ours', excluded: [] },
    { id: 'wal-g', title: 'WAL-G, files', note: 'theirs', excluded: ['no <S3>'] },
    { id: 'pgbackrest', title: 'pgBackRest', note: '', absent: 'apt-get install it', excluded: [] },
  ];
  return {
    format: 1,
    startedAt: '2026-01-02T03:04:05Z',
    machine: { processor: 'one & a half' },
    versions: {},
    options: { sizeGib: 2, rounds: 3, codec: 'lz4', width: 2 },
    cluster: { bytes: 2 * GIB, files: 10, postgres: '14' },
    contenders,
    walContenders: contenders,
    measurements,
    effects: [],
  };
}

describe('summarize', () => {
  test('gives medians a GiB of the cluster, and ratios paired by round', () => {
    const results = resultsOf([
      backup('tsbk-remote', 1, 4000),
      backup('wal-g', 1, 6000),
      backup('tsbk-remote', 2, 8000),
      backup('wal-g', 2, 24_000),
    ]);
    const [group] = summarize(results);
    const [ours, theirs] = group?.rows ?? [];
    assert.equal(ours?.seconds?.median, 6);
    assert.equal(ours?.cpuSecondsPerGib?.median, 6);
    assert.equal(ours?.mibPerSecond?.max, 512);
    assert.deepEqual(ours?.speedRatio, { median: 2.25, min: 1.5, max: 3 });
    assert.equal(theirs?.speedRatio?.median, 1);
  });

  test('keeps a failure out of the numbers and says that there was one', () => {
    const failed = { ...backup('tsbk-remote', 2, 1), usage: undefined, error: 'exited with 1' };
    const { usage: _, ...withoutUsage } = failed;
    const results = resultsOf([backup('tsbk-remote', 1, 4000), withoutUsage]);
    const row = summarize(results)[0]?.rows[0];
    assert.equal(row?.rounds, 1);
    assert.equal(row?.seconds?.max, 4);
    assert.deepEqual(row?.failures, ['exited with 1']);
    assert.equal(row?.speedRatio, undefined);
    assert.match(renderText(results), /tsbk-remote.*1 FAILED/);
  });

  test('measures WAL by the segments that were moved, not by the cluster', () => {
    const wal = { ...backup('wal-g', 1, 1000), scenario: 'wal-drain', segments: 64 } as const;
    const row = summarize(resultsOf([wal]))[0]?.rows[0];
    assert.equal(row?.mibPerSecond?.median, 1024);
    assert.equal(row?.msPerSegment?.median, 1000 / 64);
  });
});

describe('renderPage', () => {
  const page = renderPage(resultsOf([backup('tsbk-remote', 1, 4000), backup('wal-g', 1, 6000)]));

  test('loads nothing and runs nothing', () => {
    assert.doesNotMatch(page, /<script|src=|href=|url\(|@import/);
  });
  test('escapes what comes from outside', () => {
    assert.match(page, /one &amp; a half/);
    assert.match(page, /no &lt;S3&gt;/);
  });
  test('names who is absent and how to install it', () => {
    assert.match(page, /not installed<\/span>: apt-get install it/);
  });
  test('says when the run has not ended', () => {
    assert.match(page, /has not ended/);
  });
  test('is made of nothing measured, too', () => {
    assert.match(renderPage(resultsOf([])), /<\/html>/);
  });
});

describe('summarizeWaits', () => {
  const ms = (median: number, max: number) => ({ median, max, min: 1 });
  const own = { contender: 'wal-g', store: 's3', commits: 9 } as const;
  const durabilities = [
    { ...own, round: 1, p95Ms: 1900, ms: ms(1000, 2000) },
    { ...own, round: 2, p95Ms: 2100, ms: ms(1400, 2600) },
    { ...own, round: 3, error: 'it <never> came' },
  ];
  const results = { ...resultsOf([]), durabilities };

  test('gives medians over the rounds, and the longest wait of all', () => {
    const [group] = summarizeWaits(results);
    assert.equal(group?.title, 'From commit to durable, S3');
    assert.deepEqual(group.rows, [
      {
        contender: 'wal-g',
        failures: ['it <never> came'],
        medianMs: 1200,
        p95Ms: 2000,
        maxMs: 2600,
      },
    ]);
    assert.match(renderText(results), /wal-g +1200 +2000 +2600 +1 FAILED/);
    assert.match(renderPage(results), /1\.20 s/);
    assert.match(renderPage(results), /it &lt;never&gt; came/);
  });

  test('is empty, and not on the page, where nothing was measured', () => {
    assert.deepEqual(summarizeWaits(resultsOf([])), []);
    assert.doesNotMatch(renderPage(resultsOf([])), /From commit to durable/);
  });
});

describe('summarizeLosses', () => {
  const good = { perSecond: 500, walMiBPerSecond: 1, acknowledged: 4000 };
  const losses = [
    { ...good, round: 1, receiver: 'survives', lost: 0, windowMs: 0 },
    { ...good, round: 1, receiver: 'killed', lost: 90, windowMs: 300 },
    { ...good, round: 2, receiver: 'killed', lost: 10, windowMs: 100 },
    { round: 3, receiver: 'killed', error: 'there is a <hole> in the middle' },
  ] as const;
  const results = { ...resultsOf([]), losses };

  test('adds up what is gone, and keeps the longest window', () => {
    const [survives, killed] = summarizeLosses(results);
    assert.equal(survives?.lost, 0);
    assert.deepEqual(killed, {
      receiver: 'killed',
      failures: ['there is a <hole> in the middle'],
      rounds: 2,
      acknowledged: 8000,
      lost: 100,
      perSecond: 500,
      medianMs: 200,
      maxMs: 300,
    });
    assert.match(renderText(results), /killed +2 +8000 +100 +200 +300 +1 FAILED/);
    assert.match(renderPage(results), /<td>100<\/td>/);
    assert.match(renderPage(results), /a &lt;hole&gt; in the middle/);
  });

  test('are not on the page where nothing was measured', () => {
    assert.doesNotMatch(renderPage(resultsOf([])), /What is lost/);
  });
});

describe('renderChart', () => {
  test('scales the longest bar to the room there is', () => {
    const bars = [10, 40].map((value) => ({
      label: 'a"b',
      parts: [{ value, kind: 'ours' } as const],
      text: String(value),
    }));
    const widths = [...renderChart({ title: 't', hint: 'h', bars }).matchAll(/ width="([\d.]+)"/g)];
    assert.deepEqual(
      widths.map(([, width]) => Number(width)),
      [63.5, 254],
    );
  });
  test('draws bars of nothing without numbers that are none', () => {
    const bars = [{ label: 'x', parts: [{ value: 0, kind: 'theirs' } as const], text: '-' }];
    assert.doesNotMatch(renderChart({ title: 't', hint: 'h', bars }), /NaN|Infinity/);
    assert.doesNotMatch(renderChart({ title: 't', hint: 'h', bars: [] }), /NaN|Infinity/);
  });
});
