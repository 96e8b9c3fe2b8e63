import type { Options } from './options.ts';
import type { DescribedContender, Measurement, Results } from './results.ts';

type Scenario = Options['scenarios'] extends ReadonlySet<infer Name> ? Name : never;

/** What of results belongs to a scenario that was not chosen comes from earlier runs, which are named. */
export function withKept(
  results: Results,
  earlier: Results,
  { scenarios }: Pick<Options, 'scenarios'>,
): Results {
  const isKept = (measurement: Measurement): boolean => !scenarios.has(scenarioOf(measurement));
  const { durabilities = [], losses = [] } = earlier;
  const kept = {
    measurements: earlier.measurements.filter(isKept),
    effects: scenarios.has('effect') ? [] : earlier.effects,
    durabilities: scenarios.has('durable') ? [] : durabilities,
    losses: scenarios.has('loss') ? [] : losses,
  };
  const names = new Set<string>(kept.measurements.map(scenarioOf));
  if (kept.durabilities.length > 0) names.add('durable');
  if (kept.losses.length > 0) names.add('loss');
  if (kept.effects.length > 0) names.add('effect');
  if (names.size === 0) return results;
  const { startedAt, options, cluster } = earlier;
  const before = (earlier.kept ?? []).map((run) => ({
    ...run,
    scenarios: run.scenarios.filter((name) => names.has(name)),
  }));
  const own = [...names].filter((name) => !before.some((run) => run.scenarios.includes(name)));
  const runs = [{ startedAt, options, cluster, scenarios: own.toSorted() }, ...before];
  return {
    ...results,
    contenders: withOthers(results.contenders, earlier.contenders),
    walContenders: withOthers(results.walContenders, earlier.walContenders),
    receivers: withOthers(results.receivers, earlier.receivers),
    measurements: [...results.measurements, ...kept.measurements],
    effects: [...results.effects, ...kept.effects],
    durabilities: [...(results.durabilities ?? []), ...kept.durabilities],
    losses: [...(results.losses ?? []), ...kept.losses],
    kept: runs.filter((run) => run.scenarios.length > 0),
  };
}

/** Who was described before, and is not now because others alone were chosen. */
function withOthers(
  now: readonly DescribedContender[] = [],
  before: readonly DescribedContender[] = [],
): DescribedContender[] {
  return [...now, ...before.filter(({ id }) => !now.some((one) => one.id === id))];
}

function scenarioOf({ scenario, encrypted }: Measurement): Scenario {
  if (scenario.startsWith('wal-')) return 'wal';
  return encrypted ? 'encrypted' : 'plain';
}
