import type { Results } from '../results.ts';
import { renderChart, type Bar } from './chart.ts';
import { escapeHtml } from './escape-html.ts';
import { summarizeWaits, type WaitGroup } from './waits.ts';

/** How long a committed transaction is on the server alone; empty if that was not measured. */
export function renderWaits(results: Results): string {
  const groups = summarizeWaits(results);
  if (groups.length === 0) return '';
  const charts = groups.map((group) => ({
    title: group.title,
    hint: 'line: to the longest wait; less is better',
    bars: barsOf(group, results),
  }));
  const failures = groups.flatMap(({ title, rows }) =>
    rows.flatMap(({ contender, failures: own }) =>
      own.map((text) => `<li class="failed">${escapeHtml(`${title}, ${contender}: ${text}`)}</li>`),
    ),
  );
  return `<section><h2>From commit to durable</h2>
<p class="note">A transaction every 200 ms on a server with <code>archive_timeout = 2s</code>: the time from the moment in which the client knows of its commit to the one in which the repository alone has what a restore of it takes, looked for every 25 ms. With <code>archive_command</code> a segment has to end first.</p>
<div class="charts">${charts.map(renderChart).join('\n')}</div><ul>${failures.join('\n')}</ul></section>`;
}

function barsOf({ rows }: WaitGroup, { walContenders, receivers = [] }: Results): Bar[] {
  const known = [...walContenders, ...receivers];
  return rows.flatMap(({ contender, medianMs, maxMs }) => {
    if (medianMs === undefined || maxMs === undefined) return [];
    const label = known.find(({ id }) => id === contender)?.title ?? contender;
    const kind = label.startsWith('tsbk') ? 'ours' : 'theirs';
    const text = `${(medianMs / 1000).toFixed(2)} s`;
    return [{ label, parts: [{ value: medianMs, kind }], range: [medianMs, maxMs], text }];
  });
}
