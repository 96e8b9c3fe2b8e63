/**
 * `npm run bench -- [options]`: builds a cluster, then has every backup program that is installed
 * back it up and restore it, in turns, and writes `results.json` and `report.html` as it goes.
 * docs/benchmarks.md says how and why.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startPostgres, type Server } from '@tsbk/test/support/postgres';
import { loadCluster } from './cluster/load.ts';
import { makeWalSupply, type WalSupply } from './cluster/wal-supply.ts';
import { measureAll } from './measure-all.ts';
import { withKept } from './kept.ts';
import { readOptions, USAGE, type Options } from './options.ts';
import { renderPage } from './report/page.ts';
import { renderText } from './report/text.ts';
import { saveAs, type Results } from './results.ts';

/** The newest that every contender works with: WAL-G's protocol backup fails from 15 on. */
const VERSION = 14;
const TIMEOUT_MS = 15 * 60_000;

async function main(): Promise<void> {
  if (process.argv.includes('--help')) {
    process.stdout.write(USAGE);
    return;
  }
  const options = chooseOptions();
  if (options === undefined) return;
  mkdirSync(options.out, { recursive: true });
  const results = options.render ? earlierResults(options) : await measure(options);
  saveAs(join(options.out, 'report.html'), renderPage(results));
  process.stdout.write(`${renderText(results)}\n${join(options.out, 'report.html')}\n`);
  const { measurements, effects, durabilities = [], losses = [] } = results;
  const all = [...measurements, ...effects, ...durabilities, ...losses];
  if (all.some(({ error }) => error !== undefined)) process.exitCode = 1;
}

function chooseOptions(): Options | undefined {
  try {
    return readOptions(process.argv.slice(2), import.meta.dirname);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    process.exitCode = 2;
    return undefined;
  }
}

async function measure(options: Options): Promise<Results> {
  const earlier = options.keep ? earlierResults(options) : undefined;
  const complete = (results: Results): Results =>
    earlier === undefined ? results : withKept(results, earlier, options);
  const supply = await walSupply(options);
  say(`loading a cluster of about ${options.sizeGib} GiB`);
  await using server = await startServer();
  await loadCluster(server, options.sizeGib);
  // Loaded quickly, measured as it is used.
  await server.restart({ fsync: 'on' });
  const bench = { server, width: options.width, timeoutMs: TIMEOUT_MS };
  const results = await measureAll(bench, options, {
    supply,
    say,
    save: (measured) => {
      const results = complete(measured);
      saveAs(join(options.out, 'results.json'), `${JSON.stringify(results, undefined, 1)}\n`);
      saveAs(join(options.out, 'report.html'), renderPage(results));
    },
  });
  return complete(results);
}

function earlierResults({ out }: Options): Results {
  return JSON.parse(readFileSync(join(out, 'results.json'), 'utf8')) as Results;
}

async function walSupply({ scenarios, segments }: Options): Promise<WalSupply | undefined> {
  if (!scenarios.has('wal')) return undefined;
  say(`writing ${segments} WAL segments`);
  return await makeWalSupply(VERSION, segments);
}

function startServer(): Promise<Server> {
  return startPostgres({
    version: VERSION,
    archiveCommand: '/bin/true',
    settings: {
      shared_buffers: '256MB',
      max_wal_size: '4GB',
      max_connections: '50',
      checkpoint_timeout: '30min',
      log_replication_commands: 'off',
    },
  });
}

function say(text: string): void {
  const seconds = Math.round(performance.now() / 1000);
  process.stderr.write(`bench: ${String(seconds).padStart(4)} s: ${text}\n`);
}

await main();
