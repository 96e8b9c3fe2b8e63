import { setTimeout as sleep } from 'node:timers/promises';
import type { Server } from '../support/postgres.ts';
import { childrenOf } from '../support/process-tree.ts';
import type { BreakableStore, SmallDisk } from './breakable-store.ts';
import type { Evidence } from './evidence.ts';
import type { Ledger } from './ledger.ts';
import { commandLine, killAll, killOne, treeOf } from './processes.ts';
import type { CrashFault } from './schedule.ts';
import type { Way, WaySite } from './way.ts';

/** All that a fault may strike. */
export interface Targets {
  readonly server: Server;
  readonly follower: { readonly server: Server };
  readonly way: Way;
  readonly waySite: WaySite;
  readonly store: BreakableStore;
  readonly state: SmallDisk;
  readonly evidence: Evidence;
  readonly ledger: Ledger;
}

/** How long a fault waits for the process that it is to kill. */
const PREY_MS = 4000;

/** Says whether a fault has had its effect: on a push, a request, or at once. */
export type Effect = () => boolean;

const AT_ONCE: Effect = () => true;

/** Does what the schedule says. Gives `undefined` when there was nothing to strike. */
export async function inflict(fault: CrashFault, targets: Targets): Promise<Effect | undefined> {
  const { server, way, store, state, evidence } = targets;
  switch (fault.kind) {
    case 'kill-push':
      return (await killCommand(server, way, fault)) ? AT_ONCE : undefined;
    case 'kill-get':
      return (await killCommand(targets.follower.server, way, fault)) ? AT_ONCE : undefined;
    case 'kill-helper':
      return way.helpers().map(killOne).includes(true) ? AT_ONCE : undefined;
    case 'kill-archiver':
      return killOne(archiverOf(server) ?? 0) ? AT_ONCE : undefined;
    case 'kill-backend':
      return killOne(targets.ledger.backends()[0] ?? 0) ? AT_ONCE : undefined;
    case 'kill-server':
      await killServer(server, [server.pid, ...childrenOf(server.pid)]);
      return AT_ONCE;
    case 'kill-all':
      await killWithPushes(server);
      return AT_ONCE;
    case 'stop-immediate':
      await server.stop('immediate');
      return AT_ONCE;
    case 'failpoint':
      if (!fault.inHelper) {
        evidence.arm(fault.text);
        return grows(() => evidence.met());
      }
      await way.stop();
      await way.start(targets.waySite, fault.text);
      return grows(() => evidence.attempts());
    case 'store':
    case 'break-get': {
      const { operation, hit, times } = fault;
      // A history that is asked for and is not there would use up what is meant for segments.
      const key = fault.kind === 'store' ? /wal_005/ : /wal_005\/[0-9A-F]{24}/;
      store.addRule({ operation, hit, times, key, fault: fault.fault });
      return grows(() => store.struck());
    }
    case 'outage':
      store.addRule({ times: 1e9, fault: fault.fault });
      return grows(() => evidence.failures());
    case 'full-repository':
      store.fill(fault.spareBytes);
      return grows(() => evidence.failures());
    case 'full-state':
      state.fill(0);
      return grows(() => evidence.attempts());
  }
}

function grows(count: () => number): Effect {
  const before = count();
  return () => count() > before;
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
  // The launcher is a shell; what it runs is not. Not every way has one.
  const isShell = (pid: number): boolean => /^(\S*\/)?sh /.test(commandLine(pid));
  const wanted = running.filter((pid) => isShell(pid) === (victim === 'launcher'));
  return wanted.length > 0 ? wanted : running;
}

export function archiverOf(server: Server): number | undefined {
  return childrenOf(server.pid).find((pid) => commandLine(pid).startsWith('postgres: archiver'));
}

/** Whether the server runs; a postmaster that recovers from a crash does. */
export function isUp(server: Server): boolean {
  return commandLine(server.pid) !== '';
}
