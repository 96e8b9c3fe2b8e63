import { setTimeout as sleep } from 'node:timers/promises';
import { canMount } from './breakable-store.ts';
import { endSegment } from './end-segment.ts';
import { archiverOf, inflict, isUp, killWithPushes, type Effect } from './inflict.ts';
import { judge, judgeSettled, judgeWholeRestore } from './judge.ts';
import { setScene, type Campaign, type Scene } from './scene.ts';
import {
  describeFault,
  planLastRestore,
  planRounds,
  strikesRestore,
  type Breakable,
  type CrashFault,
  type Round,
} from './schedule.ts';
import { countFault } from './totals.ts';

/**
 * Plays rounds of faults, each followed by a judgement of what the repository holds, then loses the
 * server, restores it as a whole, and lets all settle. Throws when a promise is broken.
 */
export async function runCampaign(campaign: Campaign): Promise<void> {
  await using open = new AsyncDisposableStack();
  const said = { at: performance.now() };
  const say = (line: string): void => {
    const seconds = ((performance.now() - said.at) / 1000).toFixed(1);
    said.at = performance.now();
    campaign.log(`seed ${campaign.seed} ${line} (${seconds} s)`);
  };
  const scene = await setScene(campaign, open);
  open.defer(() => {
    campaign.totals.failpoints += scene.evidence.met();
    campaign.totals.requests += scene.store.struck();
  });
  say('ready');
  for (const round of planRounds(campaign.seed, campaign.rounds, breakable(campaign))) {
    const struck: string[] = [];
    await playRound(scene, round, struck);
    await judge(scene, async () => {
      for (const { fault } of round.faults.filter(isOfRestore)) await strike(scene, fault, struck);
    });
    campaign.totals.rounds += 1;
    say(`round ${round.number}: ${struck.join('; ')}`);
  }
  scene.store.heal();
  scene.evidence.disarm();
  await killWithPushes(scene.server);
  const last: string[] = [];
  for (const fault of planLastRestore(campaign.seed, breakable(campaign))) {
    await strike(scene, fault, last);
  }
  await judgeWholeRestore(scene);
  scene.store.heal();
  say(`restored as a whole: ${last.join('; ')}`);
  await scene.server.start();
  await scene.way.start(scene.waySite);
  await judgeSettled(scene);
  say('settled');
  campaign.totals.campaigns += 1;
}

function breakable({ store, way }: Campaign): Breakable {
  return { store, canFill: canMount(), hasHelper: way.hasHelper };
}

const isOfRestore = ({ fault }: { readonly fault: CrashFault }): boolean => strikesRestore(fault);

/** How long a round may wait for its faults to have their effect. */
const EFFECT_WAIT_MS = 6000;

/** The load goes on while the round's faults strike; then whatever is broken is mended. */
async function playRound(scene: Scene, round: Round, struck: string[]): Promise<void> {
  const { server, store, state, evidence } = scene;
  const start = performance.now();
  const attempts = evidence.attempts();
  const effects: Effect[] = [() => evidence.attempts() > attempts];
  // What waits for its prey must not hold up the others.
  const hunts: Promise<void>[] = [];
  for (const { atMs, fault } of round.faults.filter((each) => !isOfRestore(each))) {
    await sleep(Math.max(0, start + atMs - performance.now()));
    const done = strike(scene, fault, struck).then((effect) => void effects.push(effect));
    if (fault.kind === 'kill-push') hunts.push(done);
    else await done;
    if (!isUp(server)) await server.start();
  }
  await sleep(Math.max(0, start + round.lengthMs - performance.now()));
  await Promise.all(hunts);
  await untilAll(effects, start + EFFECT_WAIT_MS, () => endSegment(server));
  // What waits for a push or a request waits on; what stops all of them is over.
  if (round.faults.some(({ fault }) => fault.kind === 'outage')) store.heal();
  store.empty();
  state.empty();
  await scene.way.start(scene.waySite);
  await wakeArchiver(scene);
  if (round.checkpoint) await server.query('checkpoint');
}

/** `nudge` once, if it takes long: an archiver that has given up pushes nothing. */
async function untilAll(
  effects: readonly Effect[],
  deadline: number,
  nudge: () => Promise<void>,
): Promise<void> {
  const nudgeAt = performance.now() + 1000;
  let nudged = false;
  while (!effects.every((effect) => effect()) && performance.now() < deadline) {
    if (!nudged && performance.now() > nudgeAt) {
      nudged = true;
      await nudge();
    }
    await sleep(50);
  }
}

async function strike(scene: Scene, fault: CrashFault, struck: string[]): Promise<Effect> {
  const effect = await inflict(fault, scene);
  if (effect !== undefined) countFault(scene.campaign.totals, fault);
  struck.push(`${describeFault(fault)}${effect === undefined ? ' (missed)' : ''}`);
  return effect ?? ((): boolean => true);
}

/**
 * PostgreSQL starts an archiver that died only 10 s after it started the last one
 * (`PGARCH_RESTART_INTERVAL`): a new postmaster does at once, and the next round has something to
 * strike.
 */
async function wakeArchiver({ server }: Scene): Promise<void> {
  if (archiverOf(server) !== undefined) return;
  await server.stop('immediate');
  await server.start();
}
