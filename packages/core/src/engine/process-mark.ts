import { readFileSync, readlinkSync } from 'node:fs';
import { systemErrorCode } from '../kernel/errors.ts';
import type { ProcessMark } from '../repository/claim-record.ts';

/** This process; `undefined` where the system does not tell (no `/proc`). */
export function ownProcess(): ProcessMark | undefined {
  try {
    return {
      pid: process.pid,
      startTicks: startTicksOf(process.pid),
      bootId: readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim(),
      pidNamespace: readlinkSync('/proc/self/ns/pid'),
    };
  } catch {
    return undefined;
  }
}

/**
 * `gone` and `alive` are certain; `unknown` is a process of another machine, another container, or
 * of before a restart. A host name proves nothing: containers have the same one again and again.
 */
export function stateOfProcess(mark: ProcessMark | undefined): 'gone' | 'alive' | 'unknown' {
  const own = ownProcess();
  if (mark === undefined || own === undefined) return 'unknown';
  if (mark.bootId !== own.bootId || mark.pidNamespace !== own.pidNamespace) return 'unknown';
  if (!exists(mark.pid)) return 'gone';
  try {
    return startTicksOf(mark.pid) === mark.startTicks ? 'alive' : 'gone';
  } catch {
    // It has ended since, or its owner hides it.
    return exists(mark.pid) ? 'alive' : 'gone';
  }
}

/** Unlike a look at `/proc`, this sees what other users' processes hide. */
function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemErrorCode(error) !== 'ESRCH';
  }
}

function startTicksOf(pid: number): string {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  // The name in parentheses may hold anything; the start is the 22nd field, the 20th after it.
  const ticks = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  if (ticks === undefined || !/^\d+$/.test(ticks)) throw new Error(`/proc/${pid}/stat is odd`);
  return ticks;
}
