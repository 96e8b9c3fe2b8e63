/**
 * `node bench/deltas.ts [options]`: what a delta costs by each source and by other programs, by how
 * much has changed and how large the database is, and what it costs to restore a chain. Writes
 * `deltas.json` and `deltas.html`. docs/benchmarks.md says how and why.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { POSTGRES_VERSIONS, startPostgres, type Server } from '@tsbk/test/support/postgres';
import { changingTable } from './deltas/changing-table.ts';
import { DELTA_CONTENDERS } from './deltas/contenders/all.ts';
import { measureChain, measureCurve, type DeltaTask } from './deltas/measure-deltas.ts';
import { renderDeltas, tableOfDeltas } from './deltas/page.ts';
import type { DeltaMeasurement, DeltaResults } from './deltas/results.ts';
import { describeMachine, describeVersions } from './machine.ts';
import { saveAs } from './results.ts';
import type { Bench } from './scenarios/site.ts';

const TIMEOUT_MS = 15 * 60_000;
/** Of the chain that is restored, and of the curve by size. */
const USUAL_SHARE = 0.01;

const USAGE = `usage: node bench/deltas.ts [options]
  --sizes LIST    GiB of the databases (0.25,0.5,1,2,4); the middle one has all shares and the chain
  --shares LIST   of the pages that change, 0 to 1 (0.001,0.01,0.1,0.5)
  --pages N       pages that change in a database of any size (1000)
  --rounds N      rounds, contenders taking turns in each (3)
  --links N       deltas of the chain that is restored (6)
  --postgres N    version of the server (17)
  --only LIST     contenders by id, for example tsbk-server,wal-g
  --out FOLDER    for deltas.json and deltas.html (bench)
`;

const { values } = parseArgs({
  options: {
    help: { type: 'boolean', default: false },
    sizes: { type: 'string', default: '0.25,0.5,1,2,4' },
    shares: { type: 'string', default: '0.001,0.01,0.1,0.5' },
    rounds: { type: 'string', default: '3' },
    links: { type: 'string', default: '6' },
    pages: { type: 'string', default: '1000' },
    postgres: { type: 'string', default: '17' },
    only: { type: 'string', default: '' },
    out: { type: 'string', default: import.meta.dirname },
  },
});

const numbers = (text: string): number[] => text.split(',').map(Number);
const version = POSTGRES_VERSIONS.find((known) => String(known) === values.postgres) ?? 17;
const options = {
  sizesGib: numbers(values.sizes),
  shares: numbers(values.shares),
  rounds: Number(values.rounds),
  links: Number(values.links),
  pages: Number(values.pages),
  postgres: version,
};
const only = values.only === '' ? [] : values.only.split(',');
const chosen = DELTA_CONTENDERS.filter(({ id }) => only.length === 0 || only.includes(id));
const taking = chosen.filter((one) => {
  return one.absent() === undefined && one.excluded(version) === undefined;
});
const measurements: DeltaMeasurement[] = [];
let results: DeltaResults = {
  format: 1,
  startedAt: new Date().toISOString(),
  machine: describeMachine(),
  versions: describeVersions(),
  options,
  contenders: chosen.map((one) => {
    const { id, title, note } = one;
    const absent = one.absent();
    const excluded = one.excluded(version);
    return {
      id,
      title,
      note,
      ...(absent === undefined ? {} : { absent }),
      excluded: excluded === undefined ? [] : [excluded],
    };
  }),
  measurements,
};

function save(): void {
  mkdirSync(values.out, { recursive: true });
  saveAs(join(values.out, 'deltas.json'), `${JSON.stringify(results, undefined, 1)}\n`);
  saveAs(join(values.out, 'deltas.html'), renderDeltas(results));
}

function record(one: DeltaMeasurement): void {
  measurements.push(one);
  const outcome =
    one.usage === undefined ? `FAILED: ${one.error}` : `${(one.usage.wallMs / 1000).toFixed(2)} s`;
  process.stderr.write(
    `deltas: ${one.round} ${one.sizeGib} GiB ${one.scenario} ${one.share * 100} %, ${one.contender}: ${outcome}\n`,
  );
  save();
}

function startServer(): Promise<Server> {
  return startPostgres({
    version,
    archiveCommand: '/bin/true',
    settings: {
      shared_buffers: '256MB',
      max_wal_size: '8GB',
      checkpoint_timeout: '30min',
      fsync: 'on',
      ...(version >= 17 ? { summarize_wal: 'on' } : {}),
    },
  });
}

async function measureSize(sizeGib: number): Promise<void> {
  await using server = await startServer();
  const table = await changingTable(server, sizeGib);
  const bench: Bench = { server, width: 2, timeoutMs: TIMEOUT_MS };
  const isMiddle = sizeGib === options.sizesGib[options.sizesGib.length >> 1];
  const shares = options.shares.filter((share) => isMiddle || share === USUAL_SHARE);
  // All take their turn in every round, so that drift hits all alike.
  for (let turn = 0; turn < options.rounds * taking.length; turn += 1) {
    const contender = taking[turn % taking.length];
    if (contender === undefined) return;
    const round = Math.floor(turn / taking.length) + 1;
    const task: DeltaTask = { contender, round, sizeGib, table, record };
    await measureCurve(bench, task, { pages: options.pages, shares });
    if (isMiddle) {
      await measureChain(bench, task, { share: USUAL_SHARE, links: options.links });
    }
  }
}

async function measure(): Promise<void> {
  for (const sizeGib of options.sizesGib) await measureSize(sizeGib);
  results = { ...results, finishedAt: new Date().toISOString() };
  save();
  process.stdout.write(tableOfDeltas(results));
  if (measurements.some(({ error }) => error !== undefined)) process.exitCode = 1;
}

if (values.help) process.stdout.write(USAGE);
else await measure();
