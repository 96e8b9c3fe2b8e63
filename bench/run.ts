/**
 * `npm run bench -- [options]`: builds a cluster, then has every backup program that is installed
 * back it up and restore it, in turns, and writes `results.json` and `report.html` as it goes.
 * docs/benchmarks.md says how and why.
 */
import { readFileSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { startPostgres, type Server } from '@tsbk/test/support/postgres';
import { fingerprintOf } from './cluster/fingerprint.ts';
import { loadCluster } from './cluster/load.ts';
import { CONTENDERS } from './contenders/all.ts';
import type { Contender, Flavour } from './contenders/contender.ts';
import { describeMachine, describeVersions } from './machine.ts';
import { readOptions, USAGE, type Options } from './options.ts';
import { saveAs, type Measurement, type Results } from './results.ts';
import { renderText } from './report/text.ts';
import { backUpAndRestore } from './scenarios/backup-restore.ts';
import type { Bench } from './scenarios/site.ts';

/** The newest that every contender works with: WAL-G's protocol backup fails from 15 on. */
const VERSION = 14;
const TIMEOUT_MS = 15 * 60_000;

async function main(): Promise<void> {
  if (process.argv.includes('--help')) {
    process.stdout.write(USAGE);
    return;
  }
  const options = readOptions(process.argv.slice(2), import.meta.dirname);
  const path = join(options.out, 'results.json');
  if (options.render) {
    process.stdout.write(renderText(JSON.parse(readFileSync(path, 'utf8')) as Results));
    return;
  }
  say(`loading a cluster of about ${options.sizeGib} GiB`);
  await using server = await startServer();
  await loadCluster(server, options.sizeGib);
  // Loaded quickly, measured as it is used.
  await server.restart({ fsync: 'on' });
  const results = await measureAll(options, server, (soFar) => {
    saveAs(path, `${JSON.stringify(soFar, undefined, 1)}\n`);
  });
  process.stdout.write(renderText(results));
}

function startServer(): Promise<Server> {
  return startPostgres({
    version: VERSION,
    archiveCommand: '/bin/true',
    settings: {
      shared_buffers: '256MB',
      max_wal_size: '4GB',
      max_wal_senders: '8',
      max_connections: '50',
      checkpoint_timeout: '30min',
      log_replication_commands: 'off',
    },
  });
}

async function measureAll(
  options: Options,
  server: Server,
  save: (results: Results) => void,
): Promise<Results> {
  const bench: Bench = { server, width: options.width, timeoutMs: TIMEOUT_MS };
  const chosen = CONTENDERS.filter(
    ({ id }) => options.only.length === 0 || options.only.includes(id),
  );
  const flavours = flavoursOf(options);
  const measurements: Measurement[] = [];
  const results: Results = {
    format: 1,
    startedAt: new Date().toISOString(),
    machine: describeMachine(),
    versions: describeVersions(),
    options: {
      sizeGib: options.sizeGib,
      rounds: options.rounds,
      codec: options.codec,
      width: options.width,
    },
    cluster: { ...(await measureCluster(server)), postgres: String(VERSION) },
    contenders: chosen.map((contender) => describe(contender, flavours)),
    measurements,
    effects: [],
  };
  const present = chosen.filter((contender) => contender.absent() === undefined);
  const expected = options.verify ? await fingerprintOf(server) : undefined;
  const record = (measurement: Measurement): void => {
    measurements.push(measurement);
    say(describeMeasurement(measurement));
    save(results);
  };
  for (let round = 1; round <= options.rounds; round += 1) {
    for (const flavour of flavours) {
      for (const contender of present.filter((one) => one.excluded(flavour) === undefined)) {
        const check = round === 1 ? expected : undefined;
        await backUpAndRestore(bench, { contender, flavour, round, expected: check, record });
      }
    }
  }
  const finished = { ...results, finishedAt: new Date().toISOString() };
  save(finished);
  return finished;
}

function flavoursOf({ stores, scenarios, codec }: Options): Flavour[] {
  const flavours: Flavour[] = [];
  if (scenarios.has('plain')) {
    for (const store of stores) flavours.push({ store, codec, encrypted: false });
  }
  if (scenarios.has('encrypted')) flavours.push({ store: 'directory', codec, encrypted: true });
  return flavours;
}

function describe(
  contender: Contender,
  flavours: readonly Flavour[],
): Results['contenders'][number] {
  const { id, title, note } = contender;
  const absent = contender.absent();
  const excluded = flavours.map((flavour) => contender.excluded(flavour));
  return {
    id,
    title,
    note,
    ...(absent === undefined ? {} : { absent }),
    excluded: [...new Set(excluded.filter((reason) => reason !== undefined))],
  };
}

/** Bytes and files of the data directory without WAL. */
async function measureCluster({ dataDir }: Server): Promise<{ bytes: number; files: number }> {
  const entries = await readdir(dataDir, { recursive: true, withFileTypes: true });
  const files = entries.filter(
    (entry) => entry.isFile() && !entry.parentPath.startsWith(join(dataDir, 'pg_wal')),
  );
  let bytes = 0;
  for (const { parentPath, name } of files) bytes += (await stat(join(parentPath, name))).size;
  return { bytes, files: files.length };
}

function describeMeasurement(one: Measurement): string {
  const place = `${one.round} ${one.scenario}${one.encrypted ? ', encrypted' : ''}, ${one.store}`;
  const outcome =
    one.usage === undefined
      ? `FAILED: ${one.error}`
      : `${(one.usage.wallMs / 1000).toFixed(2)} s${one.verified === undefined ? '' : `, ${one.verified}`}`;
  return `${place}, ${one.contender}: ${outcome}`;
}

function say(text: string): void {
  process.stderr.write(`bench: ${text}\n`);
}

await main();
