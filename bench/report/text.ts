import type { Results } from '../results.ts';
import type { Spread } from '../statistics.ts';
import { summarizeLosses } from './losses.ts';
import { summarize, titleOf, type Group, type Row } from './summary.ts';
import { summarizeWaits } from './waits.ts';

const HEAD = [
  '',
  'seconds',
  'MiB/s',
  'CPU s/GiB',
  'server',
  'store',
  'peak MiB',
  'stored MiB',
  'speed',
  '1/CPU',
  '1/memory',
  'restored',
];

/** Medians as tables for a terminal; ratios are against WAL-G, above 1 is better. */
export function renderText(results: Results): string {
  const groups = summarize(results).map((group) => `\n${titleOf(group)}\n${lines(group)}\n`);
  return [...groups, ...waits(results), losses(results)].join('');
}

/** From commit to durable: medians over the rounds, and the longest of all. */
function waits(results: Results): string[] {
  return summarizeWaits(results).map(({ title, rows }) => {
    const table = rows.map(({ contender, failures, medianMs, p95Ms, maxMs }) => [
      contender,
      ...[medianMs, p95Ms, maxMs].map((ms) => (ms === undefined ? '-' : ms.toFixed(0))),
      failures.length > 0 ? `${failures.length} FAILED` : '-',
    ]);
    const head = ['', 'median ms', '95 % ms', 'most ms', ''];
    return `\n${title}\n${[head, ...table].map(line).join('\n')}\n`;
  });
}

/** What was lost with a killed primary. */
function losses(results: Results): string {
  const table = summarizeLosses(results).map((row) => [
    row.receiver,
    ...[row.rounds, row.acknowledged, row.lost, row.medianMs, row.maxMs].map((n) => n.toFixed(0)),
    row.failures.length > 0 ? `${row.failures.length} FAILED` : '-',
  ]);
  if (table.length === 0) return '';
  const head = ['receiver', 'rounds', 'commits', 'lost', 'median ms', 'most ms', ''];
  return `\nLost with a primary and its disk\n${[head, ...table].map(line).join('\n')}\n`;
}

function lines(group: Group): string {
  return [HEAD, ...group.rows.map((row) => cells(row))].map(line).join('\n');
}

function line([first = '', ...rest]: readonly string[]): string {
  return first.padEnd(15) + rest.map((cell) => cell.padStart(11)).join('');
}

function cells(row: Row): string[] {
  const show = (spread: Spread | undefined, digits: number): string =>
    spread === undefined ? '-' : spread.median.toFixed(digits);
  return [
    row.contender,
    show(row.seconds, 2),
    show(row.mibPerSecond, 0),
    show(row.cpuSecondsPerGib, 2),
    show(row.serverCpuSecondsPerGib, 2),
    show(row.storeCpuSecondsPerGib, 2),
    show(row.peakMib, 0),
    show(row.storedMib, 0),
    show(row.speedRatio, 2),
    show(row.cpuRatio, 2),
    show(row.memoryRatio, 2),
    row.failures.length > 0 ? `${row.failures.length} FAILED` : row.verified ? 'same' : '-',
  ];
}
