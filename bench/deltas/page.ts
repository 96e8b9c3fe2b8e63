import { renderChart, type Chart } from '../report/chart.ts';
import { escapeHtml } from '../report/escape-html.ts';
import { STYLE } from '../report/style.ts';
import { median } from '../statistics.ts';
import type { DeltaMeasurement, DeltaResults } from './results.ts';

const MIB = 1024 ** 2;

/** One row of the tables: medians over the rounds. */
interface Line {
  readonly contender: string;
  readonly scenario: DeltaMeasurement['scenario'];
  readonly sizeGib: number;
  readonly share: number;
  readonly pages: number | undefined;
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly serverSeconds: number;
  readonly peakMib: number;
  readonly readMib: number;
  readonly serverReadMib: number;
  readonly storedMib: number;
}

function linesOf({ measurements }: DeltaResults): Line[] {
  const groups = Map.groupBy(
    measurements.filter(({ usage }) => usage !== undefined),
    ({ scenario, contender, sizeGib, share, pages }) =>
      [scenario, sizeGib, share, pages, contender].join(' '),
  );
  return [...groups.values()].map((group) => {
    const of = (value: (one: DeltaMeasurement) => number | undefined): number =>
      median(group.map((one) => value(one) ?? NaN));
    const { contender = '', scenario = 'delta', sizeGib = 0, share = 0, pages } = group[0] ?? {};
    return {
      contender,
      scenario,
      sizeGib,
      share,
      pages,
      seconds: of(({ usage }) => (usage?.wallMs ?? NaN) / 1000),
      cpuSeconds: of(({ usage }) => (usage?.cpuMs ?? NaN) / 1000),
      serverSeconds: of(({ usage }) => (usage?.serverCpuMs ?? NaN) / 1000),
      peakMib: of(({ usage }) => (usage?.peakPssBytes ?? NaN) / MIB),
      readMib: of(({ usage }) => (usage?.readBytes ?? NaN) / MIB),
      serverReadMib: of(({ usage }) => (usage?.serverReadBytes ?? NaN) / MIB),
      storedMib: of(({ storedBytes }) => (storedBytes ?? NaN) / MIB),
    };
  });
}

/** The medians as text for a terminal. */
export function tableOfDeltas(results: DeltaResults): string {
  const rows = linesOf(results).map((line) => [
    line.scenario,
    `${line.sizeGib}`,
    line.pages === undefined ? `${line.share * 100} %` : `${line.pages} pages`,
    line.contender,
    line.seconds.toFixed(2),
    line.cpuSeconds.toFixed(2),
    line.serverSeconds.toFixed(2),
    line.peakMib.toFixed(0),
    line.readMib.toFixed(0),
    line.serverReadMib.toFixed(0),
    line.storedMib.toFixed(1),
  ]);
  const head = [
    'what',
    'GiB',
    'changed',
    'by',
    'seconds',
    'CPU s',
    'server',
    'peak MiB',
    'read MiB',
    'server read',
    'stored MiB',
  ];
  return (
    [head, ...rows].map((row) => row.map((cell) => cell.padStart(14)).join('')).join('\n') + '\n'
  );
}

/** The curves as one page that loads nothing. */
export function renderDeltas(results: DeltaResults): string {
  const lines = linesOf(results);
  const { options } = results;
  const charts = [
    ...options.shares.flatMap((share) =>
      options.sizesGib.map((sizeGib) =>
        chartOf(`${sizeGib} GiB, ${share * 100} % changed`, lines, (line) => {
          const isShare = line.share === share && line.pages === undefined;
          return line.scenario === 'delta' && isShare && line.sizeGib === sizeGib;
        }),
      ),
    ),
    ...options.sizesGib.map((sizeGib) =>
      chartOf(`${sizeGib} GiB, ${options.pages} pages changed`, lines, (line) => {
        return line.pages !== undefined && line.sizeGib === sizeGib;
      }),
    ),
    chartOf(`Restore of a full backup and ${options.links} deltas`, lines, ({ scenario }) => {
      return scenario === 'restore';
    }),
  ];
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>tsbk: what deltas cost</title><style>${STYLE}</style></head><body><main>
<h1>What a delta costs</h1>
<p>${escapeHtml(results.startedAt.slice(0, 10))}, PostgreSQL ${options.postgres}, lz4, a directory, ${options.rounds} rounds in turns, medians.
One table whose pages are changed one row each, evenly spread; a checkpoint and archiving before each delta.
“server” is processor time of the PostgreSQL server meanwhile, archive_command included. Read: bytes that the program read
from files and connections; “server read” the same of the server, of which a backup by the protocol has the files. Stored: all that the repository grew by.
Each restored chain was started and every row compared.</p>
<div class="charts">${charts.filter((chart) => chart !== '').join('\n')}</div>
<div class="scroll"><pre>${escapeHtml(tableOfDeltas(results))}</pre></div>
<h2>Who is compared</h2><table class="text">${results.contenders.map(describe).join('\n')}</table>
<h2>Machine and versions</h2><p>${escapeHtml(
    Object.entries({ ...results.machine, ...results.versions })
      .map(([name, value]) => `${name} ${value}`)
      .join('; '),
  )}</p>
</main></body></html>
`;
}

function describe({ title, note, absent, excluded }: DeltaResults['contenders'][number]): string {
  const missing = absent === undefined ? [] : [`not installed: ${absent}`];
  const remarks = [note, ...missing, ...excluded.map((reason) => `left out: ${reason}`)];
  return `<tr><th>${escapeHtml(title)}</th><td>${remarks.map((one) => escapeHtml(one)).join('<br>')}</td></tr>`;
}

function chartOf(title: string, lines: readonly Line[], isShown: (line: Line) => boolean): string {
  const bars: Chart['bars'] = lines.filter(isShown).map(({ contender, seconds }) => ({
    label: contender,
    parts: [{ value: seconds, kind: contender.startsWith('tsbk') ? 'ours' : 'theirs' }],
    text: `${seconds.toFixed(2)} s`,
  }));
  return bars.length === 0 ? '' : renderChart({ title, hint: 'less is better', bars });
}
