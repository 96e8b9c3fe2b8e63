import { formatSize } from '@tsbk/core/kernel/size';
import type { KeptRun, Results } from '../results.ts';
import { renderWaits } from './durable-section.ts';
import { renderEffects } from './effect-section.ts';
import { escapeHtml } from './escape-html.ts';
import { renderGroup } from './group-section.ts';
import { renderLosses } from './loss-section.ts';
import { STYLE } from './style.ts';
import { summarize } from './summary.ts';

/** The whole report as one HTML page that loads nothing. */
export function renderPage(results: Results): string {
  const sections = summarize(results).map((group) => renderGroup(group, results));
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>tsbk benchmarks</title><style>${STYLE}</style></head><body><main>
<h1>tsbk next to other backup programs</h1>
${introduction(results)}
${sections.join('\n')}
${renderWaits(results)}
${renderLosses(results)}
${renderEffects(results)}
${contenders(results)}
${method(results)}
${machine(results)}
</main></body></html>
`;
}

function introduction(results: Results): string {
  const { cluster, options, startedAt, finishedAt } = results;
  const state = finishedAt === undefined ? ' <b>The run has not ended.</b>' : '';
  return `<p>One run on one machine, ${escapeHtml(startedAt.slice(0, 10))}: PostgreSQL ${cluster.postgres} with
${formatSize(cluster.bytes)} in ${cluster.files} files, ${options.codec}, ${options.rounds} ${options.rounds === 1 ? 'round' : 'rounds'}${roundsOfWal(options)} in
which the programs took turns. Medians; lines in the bars reach from the smallest to the largest value.${state}</p>${keptFrom(results)}`;
}

function keptFrom({ kept = [] }: Results): string {
  return kept.map(keptRun).join('');
}

function keptRun({ scenarios, startedAt, options, cluster }: KeptRun): string {
  const rounds = `${options.rounds} ${options.rounds === 1 ? 'round' : 'rounds'}${roundsOfWal(options)}`;
  return `<p>Not measured again, but kept from the run of ${escapeHtml(startedAt.slice(0, 10))} with ${formatSize(cluster.bytes)},
${options.codec}, ${rounds}: ${escapeHtml(scenarios.join(', '))}.</p>`;
}

function contenders(results: Results): string {
  return `<section><h2>Who is compared</h2><h3>Backups and restores</h3>${whoIs(results.contenders)}
<h3>WAL</h3>${whoIs([...results.walContenders, ...(results.receivers ?? [])])}</section>`;
}

function whoIs(described: Results['contenders']): string {
  const rows = described.map(({ title, note, absent, excluded }) => {
    const remarks = [
      absent === undefined
        ? ''
        : `<span class="failed">not installed</span>: ${escapeHtml(absent)}`,
      ...excluded.map((reason) => `left out in part: ${escapeHtml(reason)}`),
    ].filter((remark) => remark !== '');
    return `<tr><th>${escapeHtml(title)}</th><td>${[escapeHtml(note), ...remarks].join('<br>')}</td></tr>`;
  });
  return `<table class="text">${rows.join('\n')}</table>`;
}

function method({ options }: Results): string {
  const level = options.codec === 'lz4' ? 'lz4 at its fastest level' : 'zstd at level 3';
  const points = [
    `All compress with ${level}, as WAL-G does by default; “stored” shows that they did the same work. WAL-G’s concurrency settings are its defaults; pgBackRest and the floor use ${options.width} processes, as many as tsbk has lanes.`,
    'Each program has a fresh repository and archives by its own command. Encrypted: libsodium for tsbk and WAL-G, AES-256-CBC for pgBackRest.',
    'Caches are warm: the files are read from the page cache. Dirty pages are written back before each command.',
    'Wall and CPU time are those of the shell’s “time”: the process and all that it started and waited for. The time of the PostgreSQL server (WAL sender, checkpoint, archive_command) and of the S3 server is read from /proc and shown apart.',
    'Peak memory is the largest sum over all live processes of proportional set sizes (shared pages counted once), sampled every 50 ms.',
    'WAL: consecutive segments of a load that inserts and updates, offered in a data directory whose server does not run; a loop runs the command as the archiver does and renames its marks. Recovery is that of a real server on a copy of the cluster as it was before the first segment, up to an LSN in the last one; all must end with the same rows.',
    'A daemon’s CPU time and memory count as its command’s. What WAL-G and pgBackRest leave running in the background after a command has ended is not in their CPU time.',
    'In the first round what each program restored was started, recovered and compared with the source, every row of every table.',
    'The floor is cat of the same files through the compressor into files: it keeps nothing that could be restored as a cluster.',
  ];
  const items = points.map((point) => `<li>${escapeHtml(point)}</li>`).join('\n');
  return `<section><h2>Method</h2><ul>${items}</ul></section>`;
}

function machine(results: Results): string {
  const facts = { ...results.machine, ...results.versions };
  const rows = Object.entries(facts).map(
    ([name, value]) => `<tr><th>${escapeHtml(name)}</th><td>${escapeHtml(value)}</td></tr>`,
  );
  return `<section><h2>Machine and versions</h2><table class="text">${rows.join('\n')}</table></section>`;
}

function roundsOfWal({ rounds, walRounds = rounds }: Results['options']): string {
  return walRounds < rounds ? ` (${walRounds} of WAL)` : '';
}
