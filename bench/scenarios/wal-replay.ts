import { writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { giveToServerUser, scratchPath, startFrom, type Server } from '@tsbk/test/support/postgres';
import { copyCluster } from '@tsbk/test/support/postgres/cluster';
import type { WalSupply } from '../cluster/wal-supply.ts';
import { cpuMsOfMachine, cpuMsOfTree } from '../measure/process-tree.ts';
import { putAway } from '../measure/put-away.ts';
import type { Usage } from '../measure/run-measured.ts';
import { startService } from '../measure/service.ts';
import { emptyWal, type OpenWalSite } from './wal-site.ts';

const SEGMENT_BYTES = 16 * 1024 ** 2;

export interface Replayed {
  readonly usage: Usage;
  /** What the tables hold afterwards; the same for everyone. */
  readonly content: string;
}

/**
 * Recovery of the base through `count` archived segments, from starting the server to the moment in
 * which it accepts writes.
 */
export async function replayWal(
  { contender, site, surroundings }: OpenWalSite,
  supply: WalSupply,
  count: number,
): Promise<Replayed> {
  const directory = scratchPath('replayed');
  copyCluster(supply.base, directory);
  emptyWal(directory);
  writeFileSync(join(directory, 'recovery.signal'), '');
  const session = contender.open({ ...site, dataDir: directory });
  giveToServerUser(directory);
  giveToServerUser(site.folder);
  try {
    await using _service = await startService(session.service);
    const storeBefore = cpuMsOf(surroundings.storePid);
    const machineBefore = cpuMsOfMachine();
    const start = performance.now();
    await using server = await startFrom(directory, {
      version: supply.version,
      waitFor: 'end-of-recovery',
      timeoutMs: surroundings.timeoutMs,
      env: { PATH: process.env['PATH'] ?? '', ...session.env },
      settings: {
        restore_command: session.restoreCommand,
        recovery_target_lsn: endOf(supply.segments[count - 1] ?? ''),
        recovery_target_action: 'promote',
      },
    });
    const wallMs = performance.now() - start;
    const storeCpuMs = cpuMsOf(surroundings.storePid) - storeBefore;
    // All but the store: what fetches ahead is nobody's child, and the commands are the server's.
    const cpuMs = cpuMsOfMachine() - machineBefore - storeCpuMs;
    const usage = { wallMs, cpuMs, serverCpuMs: 0, storeCpuMs, peakPssBytes: 0, peakRssBytes: 0 };
    return { usage, content: await contentOf(server) };
  } finally {
    putAway(directory);
  }
}

function cpuMsOf(pid: number | undefined): number {
  return pid === undefined ? 0 : cpuMsOfTree(pid);
}

async function contentOf(server: Server): Promise<string> {
  const [row] = await server.query<{ content: string }>(
    "select count(*) || ' accounts with ' || coalesce(sum(balance), 0) as content from accounts",
  );
  return row?.content ?? '';
}

/** A little before the last byte of a segment, so that recovery need not ask for the next one. */
function endOf(path: string): string {
  const name = basename(path);
  const low = (Number.parseInt(name.slice(16), 16) + 1) * SEGMENT_BYTES - 8192;
  return `${name.slice(8, 16)}/${low.toString(16)}`;
}
