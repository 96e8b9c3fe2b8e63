/**
 * Chains of deltas of random changes, from random sources, each link restored and compared with the
 * server. `TSBK_CHAIN_SEED` and `TSBK_CHAIN_SEEDS` choose the seeds, `TSBK_TEST_LONG=1` runs 100.
 */
import { test } from 'node:test';
import { runChain } from './chains/campaign.ts';
import { POSTGRES_VERSIONS } from './support/postgres.ts';
import { seeded } from './support/seeded.ts';

const { TSBK_TEST_LONG, TSBK_CHAIN_SEED, TSBK_CHAIN_SEEDS } = process.env;
const isLong = TSBK_TEST_LONG === '1';
const SEEDS_LONG = 100;
/** In a short run: one for a server that makes incrementals and one for one that cannot. */
const SHORT = [
  { seed: 1, version: 17 },
  { seed: 2, version: 13 },
] as const;
const LINKS_SHORT = 2;
/** One campaign in so many has a relation of more than one file. */
const GIANT_EVERY = 20;

function planned(): { seed: number; version: (typeof POSTGRES_VERSIONS)[number] }[] {
  if (!isLong && TSBK_CHAIN_SEED === undefined) return [...SHORT];
  const first = Number(TSBK_CHAIN_SEED ?? Date.now() % 1_000_000);
  const count = Number(TSBK_CHAIN_SEEDS ?? (isLong ? SEEDS_LONG : 1));
  return Array.from({ length: count }, (_, index) => {
    const seed = first + index;
    return { seed, version: seeded(seed ^ 0xc4a1).pick(POSTGRES_VERSIONS) };
  });
}

for (const { seed, version } of planned()) {
  const chosen = isLong || TSBK_CHAIN_SEED !== undefined;
  test(`a chain of deltas restores to what the server held (TSBK_CHAIN_SEED=${seed}, PostgreSQL ${version})`, async (t) => {
    await runChain({
      seed,
      version,
      links: chosen ? seeded(seed).between(2, 6) : LINKS_SHORT,
      giant: chosen && seed % GIANT_EVERY === 0,
      log: (line) => (isLong ? console.log(line) : t.diagnostic(line)),
    });
  });
}
