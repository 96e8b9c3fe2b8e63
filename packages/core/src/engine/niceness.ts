import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { setPriority } from 'node:os';
import { messageOf } from '../kernel/errors.ts';

const OWN_THREADS = '/proc/self/task';
const OWN_STATUS = '/proc/self/stat';
const OWN_GROUP = '/proc/self/autogroup';

/**
 * Sets the niceness of every thread of this process; threads that they start inherit it. On Linux
 * it belongs to the thread, and compression runs in threads that are there already. Gives what
 * kept it from being set, if anything did.
 */
export function setNiceness(niceness: number): string | undefined {
  try {
    for (const thread of ownThreads()) setThread(thread, niceness);
  } catch (error) {
    return messageOf(error);
  }
  setSession(niceness);
  return undefined;
}

/** The threads by the kernel's numbers; where it does not tell, the process as a whole. */
function ownThreads(): readonly number[] {
  try {
    return readdirSync(OWN_THREADS).map(Number);
  } catch {
    return [0];
  }
}

function setThread(thread: number, niceness: number): void {
  try {
    setPriority(thread, niceness);
  } catch (error) {
    const { code } = (error as { readonly info?: { readonly code?: string } }).info ?? {};
    // It has just ended.
    if (code !== 'ESRCH') throw error;
  }
}

/**
 * Linux shares processors out among sessions first (`sched(7)`, "The autogroup feature"), and every
 * process of a PostgreSQL server is a session of its own: niceness of threads counts nothing against
 * them. A session at a terminal is left alone, because the person's shell is in it, too. Where
 * there are no such groups, or this one may not be changed, nothing is lost.
 */
function setSession(niceness: number): void {
  try {
    if (hasTerminal(readFileSync(OWN_STATUS, 'latin1'))) return;
    writeFileSync(OWN_GROUP, String(niceness));
  } catch {
    // As before.
  }
}

/** By the line of `/proc/<pid>/stat`: what follows the name are state, parent, group, session, terminal. */
export function hasTerminal(status: string): boolean {
  const fields = status.slice(status.lastIndexOf(')') + 2).split(' ');
  return fields[4] !== '0';
}
