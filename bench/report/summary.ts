import type { Measurement, Results, ScenarioName } from '../results.ts';
import { pairedRatio, spreadOf, type Spread } from '../statistics.ts';

const GIB = 1024 ** 3;
const MIB = 1024 ** 2;

/** The contender that the others are set in relation to. */
const REFERENCE = 'wal-g';

/** One scenario in one store: a table of the report. */
export interface Group {
  readonly scenario: ScenarioName;
  readonly store: 'directory' | 's3';
  readonly encrypted: boolean;
  readonly rows: readonly Row[];
}

/** A contender's medians over the rounds. Ratios above 1: it needs less than the reference. */
export interface Row {
  readonly contender: string;
  readonly rounds: number;
  readonly failures: readonly string[];
  readonly verified: boolean;
  readonly seconds?: Spread;
  /** MiB of the cluster, or of WAL, a second. */
  readonly mibPerSecond?: Spread;
  readonly msPerSegment?: Spread;
  readonly cpuSecondsPerGib?: Spread;
  readonly serverCpuSecondsPerGib?: Spread;
  readonly storeCpuSecondsPerGib?: Spread;
  readonly peakMib?: Spread;
  readonly storedMib?: Spread;
  readonly speedRatio?: Spread;
  readonly cpuRatio?: Spread;
  readonly memoryRatio?: Spread;
}

const WAL_SEGMENT_BYTES = 16 * MIB;

/** What the group is about, for a heading. */
export function titleOf({ scenario, store, encrypted }: Group): string {
  const what = {
    backup: 'Backup',
    restore: 'Restore',
    'wal-steady': 'Archiving, one segment at a time',
    'wal-drain': 'Archiving, a backlog',
    'wal-replay': 'Recovery through archived WAL',
  }[scenario];
  return `${what}${encrypted ? ', encrypted' : ''}, ${store === 's3' ? 'S3' : 'directory'}`;
}

/** Whether it is about WAL, where other contenders take part. */
export function isWal({ scenario }: Pick<Group, 'scenario'>): boolean {
  return scenario.startsWith('wal-');
}

/** The groups that were measured, in the order in which they first were. */
export function summarize(results: Results): Group[] {
  const groups = new Map<string, Measurement[]>();
  for (const one of results.measurements) {
    const key = [one.scenario, one.store, one.encrypted].join(' ');
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  return [...groups.values()].map((measurements) => groupOf(results, measurements));
}

function groupOf(results: Results, measurements: readonly Measurement[]): Group {
  const [
    { scenario, store, encrypted } = { scenario: 'backup', store: 'directory', encrypted: false },
  ] = measurements;
  const known = isWal({ scenario: scenario as ScenarioName })
    ? results.walContenders
    : results.contenders;
  const ids = known.map(({ id }) => id);
  const reference = measurements.filter(({ contender }) => contender === REFERENCE);
  const rows = ids
    .map((id) => measurements.filter(({ contender }) => contender === id))
    .filter((own) => own.length > 0)
    .map((own) => rowOf(own, reference, results.cluster.bytes));
  return { scenario: scenario as ScenarioName, store: store as Group['store'], encrypted, rows };
}

function rowOf(
  own: readonly Measurement[],
  reference: readonly Measurement[],
  clusterBytes: number,
): Row {
  const good = own.filter(({ usage }) => usage !== undefined);
  const gib = (one: Measurement): number =>
    (one.segments === undefined ? clusterBytes : one.segments * WAL_SEGMENT_BYTES) / GIB;
  const spread = (of: (one: Measurement) => number | undefined): Spread | undefined =>
    spreadOf(good.map(of).filter((value) => value !== undefined));
  const row = {
    contender: own[0]?.contender ?? '',
    rounds: good.length,
    failures: own.map(({ error }) => error).filter((error) => error !== undefined),
    verified: own.some(({ verified }) => verified === 'same'),
    seconds: spread((one) => seconds(one.usage?.wallMs)),
    mibPerSecond: spread((one) => (gib(one) * 1024) / (seconds(one.usage?.wallMs) ?? NaN)),
    msPerSegment: spread((one) =>
      one.usage === undefined || one.segments === undefined
        ? undefined
        : one.usage.wallMs / one.segments,
    ),
    cpuSecondsPerGib: spread((one) => (seconds(one.usage?.cpuMs) ?? NaN) / gib(one)),
    serverCpuSecondsPerGib: spread((one) => (seconds(one.usage?.serverCpuMs) ?? NaN) / gib(one)),
    storeCpuSecondsPerGib: spread((one) => (seconds(one.usage?.storeCpuMs) ?? NaN) / gib(one)),
    peakMib: spread((one) => (one.usage?.peakPssBytes ?? NaN) / MIB),
    storedMib: spread((one) => (one.storedBytes === undefined ? undefined : one.storedBytes / MIB)),
    speedRatio: ratio(own, reference, (one) => one.usage?.wallMs),
    cpuRatio: ratio(own, reference, (one) => one.usage?.cpuMs),
    memoryRatio: ratio(own, reference, (one) => one.usage?.peakPssBytes),
  };
  return withoutUndefined(row);
}

function ratio(
  own: readonly Measurement[],
  reference: readonly Measurement[],
  of: (one: Measurement) => number | undefined,
): Spread | undefined {
  return pairedRatio(byRound(own, of), byRound(reference, of));
}

function byRound(
  measurements: readonly Measurement[],
  of: (one: Measurement) => number | undefined,
): Map<number, number> {
  const found = new Map<number, number>();
  for (const one of measurements) {
    const value = of(one);
    if (value !== undefined) found.set(one.round, value);
  }
  return found;
}

function seconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : ms / 1000;
}

/** Optional fields are left out, not set to `undefined`. */
function withoutUndefined<T extends object>(row: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(row).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}
