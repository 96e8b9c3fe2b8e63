import type { WalSupply } from '../cluster/wal-supply.ts';
import type { Flavour } from '../contenders/contender.ts';
import type { WalContender } from '../contenders/wal/wal-contender.ts';
import type { Measurement, ScenarioName } from '../results.ts';
import { archiveOneByOne, drainBacklog } from './wal-archive.ts';
import { replayWal } from './wal-replay.ts';
import { openWalSite } from './wal-site.ts';

export interface WalTask {
  readonly contender: WalContender;
  readonly flavour: Flavour;
  readonly round: number;
  readonly supply: WalSupply;
  readonly width: number;
  readonly timeoutMs: number;
  readonly record: (measurement: Measurement) => void;
}

/** Segments that are replayed, at most. */
const REPLAYED = 200;
/** Segments of the steady state, at most. */
const IN_TURN = 32;

/**
 * Archives a few segments one by one, drains the rest as a backlog, and recovers through what is in
 * the archive then. Every recovery must end with the same rows.
 */
export async function measureWal(task: WalTask, contents: Set<string>): Promise<void> {
  const { contender, flavour, round, supply, record } = task;
  const { store, encrypted } = flavour;
  const base = { store, encrypted, contender: contender.id, round };
  let scenario: ScenarioName = 'wal-steady';
  try {
    await using open = await openWalSite(contender, flavour, task);
    const few = supply.segments.slice(0, Math.min(IN_TURN, Math.ceil(supply.segments.length / 4)));
    const backlog = supply.segments.slice(few.length);
    const steady = await archiveOneByOne(open, few);
    record({ ...base, scenario, segments: few.length, usage: steady });
    scenario = 'wal-drain';
    const drain = await drainBacklog(open, backlog);
    record({ ...base, scenario, segments: backlog.length, usage: drain });
    scenario = 'wal-replay';
    const count = Math.min(REPLAYED, supply.segments.length);
    const { usage, content } = await replayWal(open, supply, count);
    contents.add(content);
    if (contents.size > 1) throw new Error(`recovered ${[...contents].join(', others ')}`);
    record({ ...base, scenario, segments: count, usage, verified: 'same' });
  } catch (error) {
    record({ ...base, scenario, error: error instanceof Error ? error.message : String(error) });
  }
}
