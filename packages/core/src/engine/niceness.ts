import { readdirSync } from 'node:fs';
import { setPriority } from 'node:os';
import { messageOf } from '../kernel/errors.ts';

const OWN_THREADS = '/proc/self/task';

/**
 * Sets the niceness of every thread of this process; threads that they start inherit it. On Linux
 * it belongs to the thread, and compression runs in threads that are there already. Gives what
 * kept it from being set, if anything did.
 */
export function setNiceness(niceness: number): string | undefined {
  try {
    for (const thread of ownThreads()) setThread(thread, niceness);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
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
