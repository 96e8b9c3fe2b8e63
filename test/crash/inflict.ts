import { setTimeout as sleep } from 'node:timers/promises';
import type { Server } from '../support/postgres.ts';
import { childrenOf } from '../support/process-tree.ts';
import type { BreakableStore, SmallDisk } from './breakable-store.ts';
import type { Evidence } from './evidence.ts';
import type { Ledger } from './ledger.ts';
import { commandLine, killAll, killOne, treeOf } from './processes.ts';
import type { CrashFault } from './schedule.ts';
import type { Way } from './way.ts';

/** All that a fault may strike. */
export interface Targets {
  readonly server: Server;
  readonly follower: { readonly server: Server };
  readonly way: Way;
  readonly store: BreakableStore;
  readonly state: SmallDisk;
  readonly evidence: Evidence;
  readonly ledger: Ledger;
}

/** How long a fault waits for the process that it is to kill. */
const PREY_MS = 3000;

/** Does what the schedule says. Returns whether anything was struck: a process may not be there. */
export async function inflict(fault: CrashFault, targets: Targets): Promise<boolean> {
  const { server, way, store, state, evidence } = targets;
  switch (fault.kind) {
    case 'kill-push':
      return await killCommand(server, way, fault);
    case 'kill-get':
      return await killCommand(targets.follower.server, way, fault);
    case 'kill-helper':
      return way.helpers().map(killOne).includes(true);
    case 'kill-archiver':
      return killOne(archiverOf(server) ?? 0);
    case 'kill-backend':
      return killOne(targets.ledger.backends()[0] ?? 0);
    case 'kill-server':
      await killServer(server, [server.pid, ...childrenOf(server.pid)]);
      return true;
    case 'kill-all':
      await killWithPushes(server);
      return true;
    case 'stop-immediate':
      await server.stop('immediate');
      return true;
    case 'failpoint':
      evidence.arm(fault.text);
      return true;
    case 'store':
    case 'break-get': {
      const { operation, hit, times } = fault;
      store.addRule({ operation, hit, times, key: /wal_005/, fault: fault.fault });
      return true;
    }
    case 'full-repository':
      store.fill(fault.spareBytes);
      return true;
    case 'full-state':
      state.fill(0);
      return true;
  }
}

/** Every process of the server, and the pushes that its archiver has started. */
export async function killWithPushes(server: Server): Promise<void> {
  await killServer(server, treeOf(server.pid));
}

/** Kills without a word to the children, so that none of them learns of it in order. */
async function killServer(server: Server, pids: readonly number[]): Promise<void> {
  // The postmaster first: it would start again what it sees dying.
  await killAll(pids);
  await server.stop('kill');
}

async function killCommand(
  server: Server,
  way: Way,
  { victim, waitMs }: { readonly victim: 'program' | 'launcher'; readonly waitMs: number },
): Promise<boolean> {
  const deadline = performance.now() + PREY_MS;
  while (performance.now() < deadline) {
    if (commandsOf(server, way, victim).length > 0) {
      // At any moment of its life, not only at the first.
      await sleep(waitMs);
      const [pid] = commandsOf(server, way, victim);
      if (pid !== undefined) return killOne(pid);
    }
    await sleep(20);
  }
  return false;
}

function commandsOf(server: Server, way: Way, victim: 'program' | 'launcher'): number[] {
  const running = treeOf(server.pid).filter((pid) => {
    const line = commandLine(pid);
    return way.program.test(line) && !line.startsWith('sh -c');
  });
  // The launcher is a shell; what it runs is not.
  return running.filter((pid) => /^(\S*\/)?sh /.test(commandLine(pid)) === (victim === 'launcher'));
}

export function archiverOf(server: Server): number | undefined {
  return childrenOf(server.pid).find((pid) => commandLine(pid).startsWith('postgres: archiver'));
}

/** Whether the server runs; a postmaster that recovers from a crash does. */
export function isUp(server: Server): boolean {
  return commandLine(server.pid) !== '';
}
