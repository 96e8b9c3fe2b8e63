import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemErrorCode } from '../kernel/errors.ts';

/** One run of a server, told from every other run on this machine. */
export interface ServerRun {
  readonly pid: number;
  /** Boot, process and start time of the postmaster, as text to compare. */
  readonly id: string;
}

/**
 * The server that runs in `dataDir` and is in archive recovery. `undefined` if there is none: then
 * whoever asks for WAL there is a person or another tool, and what they ask for next is not known.
 */
export async function recoveringServer(dataDir: string): Promise<ServerRun | undefined> {
  const [lines, boot] = await Promise.all([
    readText(join(dataDir, 'postmaster.pid')).then((text) => text?.split('\n')),
    readText('/proc/sys/kernel/random/boot_id'),
  ]);
  // Process, data directory, start time (`src/include/utils/pidfile.h`).
  const [pid = '', , started = ''] = lines ?? [];
  if (boot === undefined || !/^[1-9]\d*$/.test(pid) || !/^\d+$/.test(started)) return undefined;
  if (!isRunning(Number(pid)) || !(await isInArchiveRecovery(dataDir))) return undefined;
  return { pid: Number(pid), id: `${boot.trim()} ${pid} ${started}` };
}

/** PostgreSQL removes both files when recovery ends. */
async function isInArchiveRecovery(dataDir: string): Promise<boolean> {
  for (const name of ['recovery.signal', 'standby.signal']) {
    const found = await access(join(dataDir, name)).then(
      () => true,
      () => false,
    );
    if (found) return true;
  }
  return false;
}

/** A file that cannot be read says as little as one that is not there. */
async function readText(path: string): Promise<string | undefined> {
  return await readFile(path, 'utf8').catch(() => undefined);
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemErrorCode(error) !== 'ESRCH';
  }
}
