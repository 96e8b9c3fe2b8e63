/** Registers the tests of chains that wal-g takes part in. */
import { after, before, describe, test } from 'node:test';
import {
  lacksFor,
  makeChains,
  titleOf,
  type Chain,
  type Flavour,
  type MadeChains,
  type Way,
} from './walg-chain.ts';

/** Chains of one server and repository, and by which ways each of them must come back. */
export interface Group {
  readonly flavour: Flavour;
  readonly chains: readonly Chain[];
  readonly ways: readonly Way[];
}

/** One test for each chain and way, on one server. */
export function testGroup({ flavour, chains, ways }: Group): void {
  describe(titleOf(flavour), { skip: lacksFor(flavour) }, () => {
    let made: MadeChains;

    before(async () => {
      made = await makeChains(flavour, chains);
    });

    after(async () => await made?.[Symbol.asyncDispose]());

    for (const chain of chains) {
      for (const way of ways) {
        test(`${chain.join(', ')}: comes back by ${way}`, () => made.compare(chain, way));
      }
    }
  });
}
