/**
 * Crash tests of archiving: a real server under load whose every confirmed transaction is recorded
 * outside, faults at random moments, and after each round a restore from the repository alone.
 * docs/testing.md says what is promised and how to run more of it.
 */
import { test } from 'node:test';
import { inspect } from 'node:util';
import { POSTGRES_VERSIONS } from './support/postgres.ts';
import { runCampaign } from './crash/campaign.ts';
import { seeded } from './support/seeded.ts';
import type { Campaign } from './crash/scene.ts';
import { describeTotals, noTotals } from './crash/totals.ts';
import { isAvailable, WAYS, wayOf, type Way, type WayName } from './crash/way.ts';

const ROUNDS_A_CAMPAIGN = 10;
const SHORT_SEED = 254;

const { TSBK_TEST_LONG, TSBK_CRASH_ROUNDS, TSBK_CRASH_SEED } = process.env;
const rounds = Number(TSBK_CRASH_ROUNDS ?? (TSBK_TEST_LONG === '1' ? 200 : ROUNDS_A_CAMPAIGN));
const isShort = rounds <= ROUNDS_A_CAMPAIGN;
const firstSeed = Number(TSBK_CRASH_SEED ?? (isShort ? SHORT_SEED : Date.now() % 1_000_000));

test(
  'no crash and no fault loses a transaction that was acknowledged as archived',
  {
    timeout: 120_000 + rounds * 60_000,
  },
  async (t) => {
    const totals = noTotals();
    // A long run is watched while it lasts; and one that failed goes on, to see how often it does.
    const log = (line: string): void => (isShort ? t.diagnostic(line) : console.log(line));
    const failures: unknown[] = [];
    for (let left = rounds, seed = firstSeed; left > 0; left -= ROUNDS_A_CAMPAIGN, seed += 1) {
      const wanted = Math.min(ROUNDS_A_CAMPAIGN, left);
      const failure = await failureOf({ ...(await planned(seed)), rounds: wanted, totals, log });
      if (failure !== undefined) failures.push(failure);
    }
    for (const line of describeTotals(totals).split('\n')) log(line);
    if (failures.length > 0) throw new AggregateError(failures, 'campaigns failed');
  },
);

/** What a campaign is about follows from its seed, so that the seed alone replays it. */
async function planned(
  seed: number,
): Promise<Pick<Campaign, 'seed' | 'version' | 'store' | 'way'>> {
  const random = seeded(seed ^ 0x5eed);
  return {
    seed,
    version: random.pick(POSTGRES_VERSIONS),
    store: random.pick(['s3', 's3', 'directory']),
    way: await chosenWay(random.pick(WAYS)),
  };
}

async function failureOf(campaign: Campaign): Promise<unknown> {
  const { seed, version, store, way, log } = campaign;
  log(`seed ${seed}: PostgreSQL ${version}, ${store}, ${way.name}`);
  try {
    await runCampaign(campaign);
    return undefined;
  } catch (error) {
    log(`TSBK_CRASH_SEED=${seed} FAILED: ${inspect(error)}`);
    return error;
  }
}

/** `TSBK_CRASH_WAY` wins over the seed. */
async function chosenWay(name: WayName): Promise<Way> {
  const wanted = WAYS.find((known) => known === process.env['TSBK_CRASH_WAY']) ?? name;
  return wayOf((await isAvailable(wanted)) ? wanted : 'commands');
}
