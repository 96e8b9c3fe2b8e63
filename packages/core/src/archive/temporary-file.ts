import { randomBytes } from 'node:crypto';
import { readdir, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { systemErrorCode } from '../kernel/errors.ts';

/** What a file is called until it is whole: beside its place, and saying whose it is. */
export function temporaryFor(destination: string): string {
  return `${destination}.tsbk-${process.pid}-${randomBytes(4).toString('hex')}`;
}

/**
 * Removes the temporary files beside `destination` whose process is gone: `kill -9` leaves them, and
 * nobody else clears `pg_wal` of what is not WAL. Never throws: whoever writes there learns what is
 * wrong with the directory.
 */
export async function removeAbandoned(destination: string): Promise<void> {
  const directory = dirname(destination);
  const names = await readdir(directory).catch(() => []);
  for (const name of names) {
    if (!(await isAbandoned(name))) continue;
    await rm(join(directory, name), { force: true }).catch(() => undefined);
  }
}

/** Whether this is the name of a temporary file whose process is gone. */
export async function isAbandoned(name: string): Promise<boolean> {
  const owner = /\.tsbk-([1-9]\d*)-[0-9a-f]{8}$/.exec(name)?.[1];
  return owner !== undefined && (await isGone(Number(owner)));
}

/**
 * Whether there is no such process, or one that has ended and that nobody waits for. One in another
 * container would seem gone, and fail to rename what was removed: "cannot know", and asked again.
 */
async function isGone(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return systemErrorCode(error) === 'ESRCH';
  }
  const status = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '');
  return /^\d+ \(.*\) [ZX] /s.test(status);
}
