import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Server } from '@tsbk/test/support/postgres';
import { fingerprintOf } from './cluster/fingerprint.ts';
import { CONTENDERS } from './contenders/all.ts';
import type { Contender, Flavour } from './contenders/contender.ts';
import { WAL_CONTENDERS, WATCHED_CONTENDERS } from './contenders/wal/all.ts';
import { TSBK_RECEIVER, WAL_RECEIVERS } from './contenders/wal/receivers.ts';
import type { WalContender } from './contenders/wal/wal-contender.ts';
import type { WalSupply } from './cluster/wal-supply.ts';
import { describeMachine, describeVersions } from './machine.ts';
import type { Options } from './options.ts';
import type {
  DescribedContender,
  Durability,
  Effect,
  Loss,
  Measurement,
  Results,
} from './results.ts';
import { backUpAndRestore } from './scenarios/backup-restore.ts';
import { measureDurable, type DurableTask } from './scenarios/durable.ts';
import { measureLoss } from './scenarios/loss.ts';
import { loadIsAbsent, measureEffect } from './scenarios/effect.ts';
import type { Bench } from './scenarios/site.ts';
import { measureWal } from './scenarios/wal.ts';

export interface Run {
  /** Absent when WAL is not measured. */
  readonly supply: WalSupply | undefined;
  /** Called after each measurement with all there is. */
  readonly save: (results: Results) => void;
  /** Progress for people. */
  readonly say: (text: string) => void;
}

/** Every chosen contender, flavour and scenario, contenders taking turns in each round. */
export async function measureAll(bench: Bench, options: Options, run: Run): Promise<Results> {
  const isChosen = ({ id }: { readonly id: string }): boolean =>
    options.only.length === 0 || options.only.includes(id);
  const chosen = CONTENDERS.filter(isChosen);
  const chosenForWal = WAL_CONTENDERS.filter(isChosen);
  const measurements: Measurement[] = [];
  const effects: Effect[] = [];
  const durabilities: Durability[] = [];
  const losses: Loss[] = [];
  const receivers = WAL_RECEIVERS.filter(isChosen);
  const results = {
    ...(await describeRun(bench, options, chosen)),
    walContenders: chosenForWal.map((one) => describe(one, plainFlavours(options))),
    measurements,
    effects,
    durabilities,
    receivers: receivers.map((one) => describe({ ...one, excluded: () => undefined }, [])),
    losses,
  };
  const present = chosen.filter((contender) => contender.absent() === undefined);
  const presentForWal = chosenForWal.filter((contender) => contender.absent() === undefined);
  const record = (measurement: Measurement): void => {
    measurements.push(measurement);
    run.say(describeMeasurement(measurement));
    run.save(results);
  };
  await measureTools(bench, { options, present, presentForWal, supply: run.supply, record });
  for await (const durability of durabilitiesOf(bench, options, isChosen)) {
    durabilities.push(durability);
    run.say(describeDurability(durability));
    run.save(results);
  }
  for await (const loss of lossesOf(bench, options, isChosen)) {
    losses.push(loss);
    run.say(describeLoss(loss));
    run.save(results);
  }
  // Last, because it changes the tables.
  if (options.scenarios.has('effect')) {
    for await (const effect of effectsOf(bench, options, present)) {
      effects.push(effect);
      run.say(describeEffect(effect));
      run.save(results);
    }
  }
  const finished = { ...results, finishedAt: new Date().toISOString() };
  run.save(finished);
  return finished;
}

interface Tools {
  readonly options: Options;
  readonly present: readonly Contender[];
  readonly presentForWal: readonly WalContender[];
  readonly supply: WalSupply | undefined;
  readonly record: (measurement: Measurement) => void;
}

async function measureTools(bench: Bench, tools: Tools): Promise<void> {
  const { options, present, record } = tools;
  const isWanted = options.scenarios.has('plain') || options.scenarios.has('encrypted');
  const expected = options.verify && isWanted ? await fingerprintOf(bench.server) : undefined;
  const contents = new Set<string>();
  for (let round = 1; round <= options.rounds; round += 1) {
    for (const flavour of flavoursOf(options)) {
      for (const contender of partakers(present, flavour)) {
        const check = round === 1 ? expected : undefined;
        await backUpAndRestore(bench, { contender, flavour, round, expected: check, record });
      }
    }
    if (round <= options.walRounds) await measureWalRound(bench, tools, { round, contents });
  }
}

async function measureWalRound(
  { width, timeoutMs }: Bench,
  { options, presentForWal, supply, record }: Tools,
  { round, contents }: { readonly round: number; readonly contents: Set<string> },
): Promise<void> {
  if (supply === undefined) return;
  for (const flavour of plainFlavours(options)) {
    for (const contender of partakers(presentForWal, flavour)) {
      const task = { contender, flavour, round, supply, width, timeoutMs, record };
      await measureWal(task, contents);
    }
  }
}

async function* effectsOf(
  bench: Bench,
  { rounds, codec }: Options,
  present: readonly Contender[],
): AsyncGenerator<Effect> {
  if (loadIsAbsent() !== undefined) return;
  const flavour: Flavour = { store: 'directory', codec, encrypted: false };
  for (let round = 1; round <= rounds; round += 1) {
    for (const contender of partakers(present, flavour).filter(({ isLimit }) => isLimit !== true)) {
      yield await measureEffect(bench, { contender, flavour, round });
    }
  }
}

async function* durabilitiesOf(
  { width, server: { version } }: Bench,
  options: Options,
  isChosen: (one: { readonly id: string }) => boolean,
): AsyncGenerator<Durability> {
  if (!options.scenarios.has('durable')) return;
  const isThere = (one: Pick<Contender, 'id' | 'absent'>): boolean =>
    isChosen(one) && one.absent() === undefined;
  const ways: DurableTask['way'][] = [
    ...WATCHED_CONTENDERS.filter(isThere).map((command) => ({ command })),
    ...WAL_RECEIVERS.filter(isThere).map((receiver) => ({ receiver })),
  ];
  for (let round = 1; round <= options.walRounds; round += 1) {
    for (const flavour of plainFlavours(options)) {
      for (const way of ways) yield await measureDurable({ flavour, round, version, width, way });
    }
  }
}

async function* lossesOf(
  { server: { version } }: Bench,
  { scenarios, rounds }: Options,
  isChosen: (one: { readonly id: string }) => boolean,
): AsyncGenerator<Loss> {
  if (!scenarios.has('loss') || !isChosen({ id: TSBK_RECEIVER })) return;
  for (let round = 1; round <= rounds; round += 1) {
    for (const receiver of ['survives', 'killed'] as const) {
      yield await measureLoss({ round, receiver, version });
    }
  }
}

function partakers<C extends Pick<Contender, 'excluded'>>(
  present: readonly C[],
  flavour: Flavour,
): C[] {
  return present.filter((contender) => contender.excluded(flavour) === undefined);
}

function flavoursOf(options: Options): Flavour[] {
  const { scenarios, codec } = options;
  return [
    ...(scenarios.has('plain') ? plainFlavours(options) : []),
    ...(scenarios.has('encrypted')
      ? [{ store: 'directory', codec, encrypted: true } as const]
      : []),
  ];
}

function plainFlavours({ stores, codec }: Options): Flavour[] {
  return stores.map((store) => ({ store, codec, encrypted: false }));
}

async function describeRun(
  bench: Bench,
  options: Options,
  chosen: readonly Contender[],
): Promise<
  Omit<
    Results,
    'measurements' | 'effects' | 'walContenders' | 'durabilities' | 'receivers' | 'losses'
  >
> {
  const { sizeGib, rounds, walRounds, codec, width } = options;
  return {
    format: 1,
    startedAt: new Date().toISOString(),
    machine: describeMachine(),
    versions: describeVersions(),
    options: { sizeGib, rounds, walRounds, codec, width },
    cluster: { ...(await measureCluster(bench.server)), postgres: String(bench.server.version) },
    contenders: chosen.map((contender) => describe(contender, flavoursOf(options))),
  };
}

function describe(
  contender: Pick<Contender, 'id' | 'title' | 'note' | 'absent' | 'excluded'>,
  flavours: readonly Flavour[],
): DescribedContender {
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

function describeEffect({ contender, round, error, before, during }: Effect): string {
  const figures = [before, during].map((one) => `${one?.tps.toFixed(0)} tps`).join(', during ');
  return `${round} effect, ${contender}: ${error === undefined ? `before ${figures}` : `FAILED: ${error}`}`;
}

function describeLoss({ round, receiver, error, lost, acknowledged, windowMs }: Loss): string {
  const outcome =
    error === undefined ? `${lost} of ${acknowledged}, ${windowMs} ms` : `FAILED: ${error}`;
  return `${round} loss, receiver ${receiver}: ${outcome}`;
}

function describeDurability({ contender, store, round, error, ms }: Durability): string {
  const outcome =
    ms === undefined
      ? `FAILED: ${error}`
      : `${ms.median.toFixed(0)} ms, at most ${ms.max.toFixed(0)} ms`;
  return `${round} from commit to durable, ${store}, ${contender}: ${outcome}`;
}
