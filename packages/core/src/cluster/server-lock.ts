import { open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { systemErrorCode, TsbkError } from '../kernel/errors.ts';
import { writeFailed } from './write-failed.ts';

/** What PostgreSQL takes a data directory for its own by (`src/include/utils/pidfile.h`). */
export const SERVER_LOCK = 'postmaster.pid';
const SHARED_MEMORY_LINE = 6;

/** A data directory in which no server starts, because this process is named in its lock. */
export interface ServerLock {
  /** Removes the lock. One that is gone already is no error. */
  release(): Promise<void>;
}

/**
 * Who has locked the data directory, in words; `undefined` if nobody: there is no lock, or the
 * process that it names is gone and no other one is attached to its shared memory. Processes of
 * another machine or container that has the directory too are not seen, by PostgreSQL neither.
 */
export async function serverLockHolder(dataDir: string): Promise<string | undefined> {
  let lines: readonly string[];
  try {
    lines = (await readFile(join(dataDir, SERVER_LOCK), 'utf8')).split('\n');
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    return `its ${SERVER_LOCK} cannot be read (${systemErrorCode(error)})`;
  }
  // A server without a postmaster (`postgres --single`) has a minus before its number.
  const pid = /^-?([1-9]\d*)$/.exec(lines[0] ?? '')?.[1];
  if (pid === undefined) return `its ${SERVER_LOCK} does not name a process`;
  // In a new container process numbers begin anew: one's own cannot be anybody else's.
  if (Number(pid) !== process.pid && isRunning(Number(pid))) return `process ${pid} runs there`;
  const users = await sharedMemoryUsers(lines[SHARED_MEMORY_LINE] ?? '');
  if (users === 0) return undefined;
  return `process ${pid} is gone, but ${users} of its server go on`;
}

/**
 * Locks a data directory as a server does. Throws `target-not-empty` if somebody has locked it; a
 * lock that a crashed server has left is replaced.
 */
export async function takeServerLock(dataDir: string): Promise<ServerLock> {
  const path = join(dataDir, SERVER_LOCK);
  const holder = await serverLockHolder(dataDir);
  if (holder !== undefined) throw serverRuns(dataDir, holder);
  try {
    await rm(path, { force: true });
    await using file = await open(path, 'wx', 0o600);
    await file.writeFile(`${process.pid}\n${dataDir}\n`);
    await file.sync();
  } catch (error) {
    if (systemErrorCode(error) !== 'EEXIST') throw writeFailed(path, error);
    throw serverRuns(dataDir, 'something has locked it this very moment');
  }
  return { release: () => rm(path, { force: true }) };
}

/** The refusal to change a directory that a server works in. */
export function serverRuns(dataDir: string, holder: string): TsbkError {
  return new TsbkError('target-not-empty', `${dataDir} is in use: ${holder}`, {
    hint: `Stop the server. If none runs there (look on every machine that has the directory), remove ${SERVER_LOCK}.`,
  });
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemErrorCode(error) !== 'ESRCH';
  }
}

/**
 * How many processes are attached to the segment that the lock names: backends may outlive a
 * postmaster that was killed. 0 where the system has no such table.
 */
async function sharedMemoryUsers(line: string): Promise<number> {
  const [, key, id] = /^\s*(\d+)\s+(\d+)\s*$/.exec(line) ?? [];
  if (key === undefined || id === undefined) return 0;
  // The lock has the key without a sign, the table with one.
  const signed = String(BigInt.asIntN(32, BigInt(key)));
  const table = await readFile('/proc/sysvipc/shm', 'utf8').catch(() => '');
  // key, shmid, perms, size, cpid, lpid, nattch
  const rows = table.split('\n').map((row) => row.trim().split(/\s+/));
  const row = rows.find(([ofKey, ofId]) => ofKey === signed && ofId === id);
  return Number(row?.[6] ?? 0);
}
