import type { Results } from '../results.ts';
import { escapeHtml } from './escape-html.ts';
import { summarizeLosses } from './losses.ts';

/** What a killed primary takes with it; empty if that was not measured. */
export function renderLosses(results: Results): string {
  const rows = summarizeLosses(results);
  if (rows.length === 0) return '';
  const failures = rows.flatMap(({ receiver, failures: own }) =>
    own.map((text) => `<li class="failed">receiver ${receiver}: ${escapeHtml(text)}</li>`),
  );
  const cells = rows.map(
    ({ receiver, rounds, acknowledged, lost, perSecond, medianMs, maxMs }) =>
      `<tr><th>receiver ${receiver}</th>${[rounds, acknowledged, perSecond, lost, medianMs, maxMs].map((value) => `<td>${value.toFixed(0)}</td>`).join('')}</tr>`,
  );
  return `<section><h2>What is lost with a primary</h2>
<p class="note">Four clients commit as fast as they can while <code>tsbk wal-receive</code> streams into S3, at its defaults. Every process of the server is killed at once and its directory removed, with the receiver or without; a restore from the repository alone tells which of the acknowledged transactions are there. The window reaches from the acknowledgement of the first that is not to the kill.</p>
<div class="scroll"><table><tr><th></th><th>rounds</th><th>acknowledged</th><th>a second</th><th>lost</th><th>window, median ms</th><th>window, most ms</th></tr>
${cells.join('\n')}</table></div><ul>${failures.join('\n')}</ul></section>`;
}
