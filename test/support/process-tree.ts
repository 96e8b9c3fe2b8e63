import { readFileSync } from 'node:fs';
import { eventually } from './eventually.ts';

/** Processes that `pid` started and that still run; none where `/proc` does not tell. */
export function childrenOf(pid: number): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim();
    return text === '' ? [] : text.split(' ').map(Number);
  } catch {
    return [];
  }
}

/**
 * Sends a signal as PostgreSQL does: to a command and to what it started, which are one process
 * group there.
 */
export function signalGroup(pid: number, name: NodeJS.Signals): void {
  for (const each of [pid, ...childrenOf(pid)]) {
    try {
      process.kill(each, name);
    } catch {
      // It has just ended.
    }
  }
}

/** Resolves when the process does not exist any more. */
export async function untilGone(pid: number): Promise<void> {
  await eventually(`the end of process ${pid}`, async () => (isRunning(pid) ? undefined : true));
}

function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'));
  } catch {
    return false;
  }
}
