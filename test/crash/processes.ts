import { readFileSync } from 'node:fs';
import { childrenOf, untilGone } from '../support/process-tree.ts';

/** A process and all that it and its children started, itself first. */
export function treeOf(pid: number): number[] {
  return [pid, ...childrenOf(pid).flatMap((child) => treeOf(child))];
}

/** What a process is called; empty when it is gone. */
export function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ').trim();
  } catch {
    return '';
  }
}

/** Sends SIGKILL to processes of a server of this test, and waits until they are gone. */
export async function killAll(pids: readonly number[]): Promise<void> {
  for (const pid of pids) killOne(pid);
  for (const pid of pids) await untilGone(pid);
}

/** Returns whether there was such a process. */
export function killOne(pid: number): boolean {
  if (pid <= 1) return false;
  try {
    process.kill(pid, 'SIGKILL');
    return true;
  } catch {
    return false;
  }
}
