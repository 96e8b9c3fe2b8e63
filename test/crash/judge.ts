import assert from 'node:assert/strict';
import { eventually } from '../support/eventually.ts';
import { backlogOf, checkArchive, strangersIn } from './archive-check.ts';
import { acknowledgedUpTo } from './evidence.ts';
import { endSegment } from './end-segment.ts';
import { restoreToEnd } from './follower.ts';
import { checkLedger, entriesBefore, entriesOn } from './ledger-check.ts';
import type { Scene } from './scene.ts';

/** What is promised at this moment: to be asked for before anything is looked at. */
interface Promised {
  readonly acknowledged: ReadonlySet<string>;
  /** Entries of each writer that must be restored. */
  readonly wanted: readonly number[];
}

async function promisedNow(scene: Scene): Promise<Promised> {
  const acknowledged = scene.evidence.acknowledged();
  const byFile = acknowledgedUpTo(acknowledged, scene.first);
  const more = (await scene.way.promised(scene.server)) ?? 0n;
  const bound = more > byFile ? more : byFile;
  return { acknowledged, wanted: entriesBefore(scene.ledger, bound) };
}

/**
 * Holds the archive against the server, and lets the server that has nothing but the repository
 * come to where it must. `meanwhile` may disturb it.
 */
export async function judge(scene: Scene, meanwhile: () => Promise<void>): Promise<void> {
  await judgeAgainst(scene, await promisedNow(scene), meanwhile);
}

async function judgeAgainst(
  scene: Scene,
  { acknowledged, wanted }: Promised,
  meanwhile: () => Promise<void>,
): Promise<void> {
  const { follower, ledger, campaign } = scene;
  await checkContent(scene, acknowledged);
  let disturbing = true;
  const disturbed = meanwhile().finally(() => (disturbing = false));
  const checked = await follower.catchUp(async (server) => {
    const found = await entriesOn(server, wanted.length);
    const hasAll = wanted.every((count, writer) => (found[writer] ?? 0) >= count);
    return hasAll && !disturbing ? await checkLedger(server, ledger, wanted) : undefined;
  });
  await disturbed;
  campaign.totals.transactions += checked;
  campaign.totals.restores += 1;
}

async function checkContent(scene: Scene, acknowledged: ReadonlySet<string>): Promise<void> {
  const { store, evidence, server, seen, campaign } = scene;
  campaign.totals.files += await checkArchive({
    store,
    acknowledged,
    seen,
    offered: evidence.offered(),
    dataDir: server.dataDir,
  });
}

/** Restores from the base backup, as after the loss of the server, and opens the database. */
export async function judgeWholeRestore(scene: Scene): Promise<void> {
  const { campaign, ledger, restoreSite } = scene;
  const { wanted } = await promisedNow(scene);
  await using restored = await restoreToEnd(restoreSite);
  campaign.totals.transactions += await checkLedger(restored, ledger, wanted);
  campaign.totals.restores += 1;
  assert.deepEqual(strangersIn(restored.dataDir), []);
}

/**
 * Everything works again: the server comes to have nothing left to archive by itself, every
 * confirmed transaction is restored, and nothing lies about.
 */
export async function judgeSettled(scene: Scene): Promise<void> {
  const { ledger, server, follower } = scene;
  await ledger.pause();
  await endSegment(server);
  await untilArchived(scene);
  const wanted = ledger.confirmed.map((entries) => entries.length);
  const { acknowledged } = await promisedNow(scene);
  await judgeAgainst(scene, { acknowledged, wanted }, async () => {});
  await follower.catchUp(async ({ dataDir }) =>
    strangersIn(dataDir).length === 0 ? true : undefined,
  );
  assert.deepEqual(strangersIn(server.dataDir), []);
}

/** How long the archiver may do nothing before it is given more. */
const IDLE_MS = 3000;

async function untilArchived({ server, evidence }: Scene): Promise<void> {
  let last = { attempts: 0, at: performance.now() };
  await eventually(
    'the server to have nothing left to archive',
    async () => {
      if (evidence.attempts() !== last.attempts) {
        last = { attempts: evidence.attempts(), at: performance.now() };
      }
      // It gives up after three failures until there is more to do.
      if (performance.now() - last.at > IDLE_MS) {
        await endSegment(server);
        last = { ...last, at: performance.now() };
      }
      return backlogOf(server.dataDir) === 0 ? true : undefined;
    },
    120_000,
  );
}
