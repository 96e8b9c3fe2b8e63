import type { Results } from '../results.ts';
import type { Spread } from '../statistics.ts';
import { renderChart, type Bar, type BarKind, type Chart } from './chart.ts';
import { escapeHtml } from './escape-html.ts';
import { isWal, titleOf, type Group, type Row } from './summary.ts';

interface Column {
  readonly head: string;
  readonly digits: number;
  readonly of: (row: Row) => Spread | undefined;
}

const COLUMNS: readonly Column[] = [
  { head: 's', digits: 2, of: (row) => row.seconds },
  { head: 'MiB/s', digits: 0, of: (row) => row.mibPerSecond },
  { head: 'ms/segment', digits: 1, of: (row) => row.msPerSegment },
  { head: 'CPU s/GiB', digits: 2, of: (row) => row.cpuSecondsPerGib },
  { head: 'server s/GiB', digits: 2, of: (row) => row.serverCpuSecondsPerGib },
  { head: 'S3 server s/GiB', digits: 2, of: (row) => row.storeCpuSecondsPerGib },
  { head: 'peak MiB', digits: 0, of: (row) => row.peakMib },
  { head: 'stored MiB', digits: 0, of: (row) => row.storedMib },
  { head: 'speed', digits: 2, of: (row) => row.speedRatio },
  { head: 'CPU', digits: 2, of: (row) => row.cpuRatio },
  { head: 'memory', digits: 2, of: (row) => row.memoryRatio },
];

/** A scenario: three charts and the table with everything. */
export function renderGroup(group: Group, results: Results): string {
  const note = noteOf(group);
  const known = isWal(group) ? results.walContenders : results.contenders;
  const titles = new Map(known.map(({ id, title }) => [id, title]));
  const charts = chartsOf(group, titles).map(renderChart);
  return [
    `<section><h2>${titleOf(group)}</h2>${note === undefined ? '' : `<p class="note">${note}</p>`}`,
    `<div class="charts">${charts.join('\n')}</div>`,
    table(group, titles),
    '</section>',
  ].join('\n');
}

function noteOf({ scenario }: Group): string | undefined {
  switch (scenario) {
    case 'wal-steady':
      return 'Each segment becomes ready when the one before it is archived: what a server pays all day.';
    case 'wal-drain':
      return 'All segments are ready, and one command a segment runs, one after the other: after an outage.';
    case 'wal-replay':
      return 'From starting the server to its first writable moment. CPU is that of the whole machine but for the S3 server.';
    case 'backup':
    case 'restore':
      return undefined;
  }
}

function chartsOf({ rows }: Group, titles: ReadonlyMap<string, string>): Chart[] {
  const good = rows.filter(({ rounds }) => rounds > 0);
  const bars = (of: (row: Row) => Spread | undefined, digits: number): Bar[] =>
    good.map((row) => barOf(row, of(row), { digits, titles }));
  return [
    { title: 'Speed, MiB/s', hint: 'more is better', bars: bars((row) => row.mibPerSecond, 0) },
    {
      title: 'CPU seconds a GiB',
      hint: 'less is better; pale: servers',
      bars: good.map((row) => cpuBar(row, titles)),
    },
    { title: 'Peak memory, MiB', hint: 'less is better', bars: bars((row) => row.peakMib, 0) },
  ];
}

function barOf(
  row: Row,
  spread: Spread | undefined,
  { digits, titles }: { readonly digits: number; readonly titles: ReadonlyMap<string, string> },
): Bar {
  const value = spread?.median ?? 0;
  return {
    label: titles.get(row.contender) ?? row.contender,
    parts: [{ value, kind: kindOf(row.contender) }],
    range: spread === undefined || row.rounds < 2 ? undefined : [spread.min, spread.max],
    text: spread === undefined ? '-' : value.toFixed(digits),
  };
}

/** The tool's own time, then what it cost PostgreSQL and the S3 server. */
function cpuBar(row: Row, titles: ReadonlyMap<string, string>): Bar {
  const own = row.cpuSecondsPerGib?.median ?? 0;
  const server = row.serverCpuSecondsPerGib?.median ?? 0;
  const store = row.storeCpuSecondsPerGib?.median ?? 0;
  return {
    label: titles.get(row.contender) ?? row.contender,
    parts: [
      { value: own, kind: kindOf(row.contender) },
      { value: server, kind: 'server' },
      { value: store, kind: 'store' },
    ],
    text:
      server + store >= 0.05
        ? `${own.toFixed(1)} + ${(server + store).toFixed(1)}`
        : own.toFixed(1),
  };
}

function kindOf(contender: string): BarKind {
  if (contender.startsWith('tsbk')) return 'ours';
  return contender === 'floor' ? 'limit' : 'theirs';
}

function table({ rows }: Group, titles: ReadonlyMap<string, string>): string {
  const shown = COLUMNS.filter(({ of }) => rows.some((row) => (of(row)?.max ?? 0) > 0));
  const ratios = shown.filter(({ of, head }) => ['speed', 'CPU', 'memory'].includes(head) && of);
  const heads = shown.map(({ head }) => `<th>${head}</th>`).join('');
  const groups =
    ratios.length === 0
      ? ''
      : `<tr><th></th><th colspan="${shown.length - ratios.length}"></th><th colspan="${ratios.length}">times better than WAL-G</th><th></th></tr>`;
  const body = rows.map((row) => tableRow(row, shown, titles)).join('\n');
  return `<div class="scroll"><table><thead>${groups}<tr><th></th>${heads}<th>result</th></tr></thead><tbody>${body}</tbody></table></div>`;
}

function tableRow(
  row: Row,
  columns: readonly Column[],
  titles: ReadonlyMap<string, string>,
): string {
  const cells = columns.map(({ of, digits }) => {
    const spread = of(row);
    if (spread === undefined) return '<td>–</td>';
    const range = `${spread.min.toFixed(digits)} to ${spread.max.toFixed(digits)}`;
    return `<td title="${range}">${spread.median.toFixed(digits)}</td>`;
  });
  const name = escapeHtml(titles.get(row.contender) ?? row.contender);
  return `<tr class="${kindOf(row.contender)}"><th>${name}</th>${cells.join('')}<td>${outcome(row)}</td></tr>`;
}

function outcome(row: Row): string {
  const [failure] = row.failures;
  if (failure !== undefined) {
    return `<span class="failed" title="${escapeHtml(failure)}">failed ${row.failures.length}×</span>`;
  }
  return row.verified ? 'compared, same' : '';
}
