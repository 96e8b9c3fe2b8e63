import type { Effect, LoadFigures, Results } from '../results.ts';
import { median } from '../statistics.ts';
import { renderChart, type Bar } from './chart.ts';

/** What a backup costs the transactions that go on meanwhile; empty if that was not measured. */
export function renderEffects({ effects, contenders }: Results): string {
  if (effects.length === 0) return '';
  const measured = contenders
    .map(({ id, title }) => ({ title, own: effects.filter(({ contender }) => contender === id) }))
    .filter(({ own }) => own.some(({ during }) => during !== undefined));
  const bars = (of: (figures: LoadFigures) => number, unit: string): Bar[] =>
    measured.flatMap(({ title, own }) => pair(title, own, { of, unit }));
  const lengths: Bar[] = measured.map(({ title, own }) => {
    const value = median(
      own.map(({ during }) => during?.seconds).filter((one) => one !== undefined),
    );
    const kind = title.startsWith('tsbk') ? 'ours' : 'theirs';
    return { label: title, parts: [{ value, kind }], text: `${value.toFixed(1)} s` };
  });
  const charts = [
    {
      title: 'Transactions a second',
      hint: 'pale: before the backup',
      bars: bars(({ tps }) => tps, ''),
    },
    {
      title: '99th percentile of latency',
      hint: 'less is better',
      bars: bars(({ p99Ms }) => p99Ms, ' ms'),
    },
    { title: 'Length of the backup', hint: 'how long it lasts', bars: lengths },
  ];
  return `<section><h2>Effect on pgbench</h2>
<p class="note">pgbench runs without a pause. Its rate and latency in the seconds before each backup and while it runs.</p>
<div class="charts">${charts.map(renderChart).join('\n')}</div></section>`;
}

function pair(
  title: string,
  effects: readonly Effect[],
  { of, unit }: { readonly of: (figures: LoadFigures) => number; readonly unit: string },
): Bar[] {
  const middle = (all: readonly (LoadFigures | undefined)[]): number =>
    median(all.filter((one) => one !== undefined).map(of));
  const before = middle(effects.map((effect) => effect.before));
  const during = middle(effects.map((effect) => effect.during));
  const text = (value: number): string => `${value.toFixed(value < 100 ? 1 : 0)}${unit}`;
  const kind = title.startsWith('tsbk') ? 'ours' : 'theirs';
  return [
    { label: title, parts: [{ value: before, kind: 'server' }], text: text(before) },
    { label: '', parts: [{ value: during, kind }], text: text(during) },
  ];
}
