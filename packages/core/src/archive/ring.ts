import { createHash } from 'node:crypto';
import {
  copyFile,
  constants,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  statfs,
  writeFile,
} from 'node:fs/promises';
import { basename, join } from 'node:path';
import { systemErrorCode } from '../kernel/errors.ts';
import { openStateFolder } from '../cluster/state-directory.ts';
import { parseHistoryFile, type TimelineHistory } from '../format/history-file.ts';
import type { SystemId } from '../kernel/system-id.ts';
import { parseWalFileName } from '../kernel/wal-file.ts';
import { isAbandoned, temporaryFor } from './temporary-file.ts';

/** Folder of the state directory that holds what was fetched ahead. */
export const AHEAD_FOLDER = 'ahead';

/**
 * Segments that were fetched before anybody asked for them: whole and verified files under their own
 * names. One that is being made has a temporary name, so none is ever taken for whole that is not.
 *
 * ```
 * ahead/3b0c…f1/0000000100000000000000A7             a segment, ready to be moved to where it is asked for
 *               0000000100000000000000A8.tsbk-71-…   one that process 71 is fetching
 *               00000002.history.given               what recovery was given, to know its path
 *               wanted                               the last segment that was not here in time
 *               prefetcher                           the process that fills it
 * ```
 */
export interface Ring {
  readonly folder: string;
}

/** Whom a ring is for. Another place, cluster or run of the server has another one. */
export interface RingOwner {
  /** The archive, by everything that tells it from others. */
  readonly place: string;
  /** Of the data directory, where it is known. */
  readonly systemId: SystemId | undefined;
  /** Run of the server: what another run left, a crash in between or not, is not trusted. */
  readonly server: string;
}

/** What recovery wanted last and did not find in the ring. */
export interface Wanted {
  readonly name: string;
  /** Size of the segments of this cluster. */
  readonly segmentBytes: number;
}

const SEGMENT = /^[0-9A-F]{24}$/;

/**
 * Opens the ring of an owner in the state directory, and removes those of all others. Throws
 * `state-directory`.
 */
export async function openRing(stateDirectory: string, owner: RingOwner): Promise<Ring> {
  const all = await openStateFolder(stateDirectory, AHEAD_FOLDER);
  const identity = JSON.stringify([owner.place, String(owner.systemId), owner.server]);
  const own = createHash('sha256').update(identity).digest('hex').slice(0, 32);
  const folder = await openStateFolder(all, own);
  const others = await readdir(all, { withFileTypes: true });
  for (const { name } of others.filter((entry) => entry.isDirectory() && entry.name !== own)) {
    await rm(join(all, name), { recursive: true, force: true }).catch(() => undefined);
  }
  return { folder };
}

/** Where the ring has, or will have, this segment. */
export function placeInRing({ folder }: Ring, name: string): string {
  return join(folder, name);
}

/** Names of the segments that are there; none if the ring itself is gone. */
export async function segmentsInRing({ folder }: Ring): Promise<readonly string[]> {
  const names = await readdir(folder).catch(() => []);
  return names.filter((name) => SEGMENT.test(name));
}

/**
 * Moves a segment to `destination`; `undefined` if it is not there, else its size. Moved and never
 * linked: PostgreSQL uses the file again for new WAL, in place. So whoever asks twice is answered
 * from the archive.
 */
export async function moveFromRing(
  ring: Ring,
  { name, destination }: { readonly name: string; readonly destination: string },
): Promise<number | undefined> {
  const entry = placeInRing(ring, name);
  try {
    const { size } = await stat(entry);
    await rename(entry, destination);
    return size;
  } catch (error) {
    if (systemErrorCode(error) === 'EXDEV') return await copyFromRing(entry, destination);
    // Whatever it is, the archive has the segment, and the way from there says what is wrong.
    return undefined;
  }
}

/** To another file system: a copy under a temporary name, so that none is taken for whole. */
async function copyFromRing(entry: string, destination: string): Promise<number | undefined> {
  const temporary = temporaryFor(destination);
  try {
    await copyFile(entry, temporary, constants.COPYFILE_EXCL);
    const { size } = await stat(temporary);
    await rename(temporary, destination);
    return size;
  } catch {
    await rm(temporary, { force: true });
    return undefined;
  } finally {
    await rm(entry, { force: true });
  }
}

/** Bytes that are there of a segment that a living process is fetching; `undefined` if none is. */
export async function bytesUnderWay({ folder }: Ring, name: string): Promise<number | undefined> {
  const names = await readdir(folder).catch(() => []);
  const half = names.find((one) => one.startsWith(`${name}.`));
  if (half === undefined || (await isAbandoned(half))) return undefined;
  return await stat(join(folder, half)).then(
    ({ size }) => size,
    () => undefined,
  );
}

/** Removes segments: all of them, or those that `but` does not have. */
export async function clearRing(ring: Ring, but: ReadonlySet<string> = new Set()): Promise<void> {
  const names = await segmentsInRing(ring);
  for (const name of names.filter((one) => !but.has(one))) {
    await rm(placeInRing(ring, name), { force: true }).catch(() => undefined);
  }
}

/** Tells the one who fills the ring where recovery is. */
export async function tellWanted(ring: Ring, wanted: Wanted): Promise<void> {
  await replace(join(ring.folder, 'wanted'), `${wanted.name} ${wanted.segmentBytes}\n`);
}

export async function readWanted({ folder }: Ring): Promise<Wanted | undefined> {
  const text = await readFile(join(folder, 'wanted'), 'utf8').catch(() => '');
  const [, name, bytes] = /^([0-9A-F]{24}) (\d+)\n$/.exec(text) ?? [];
  return name === undefined ? undefined : { name, segmentBytes: Number(bytes) };
}

/** Keeps a history file that recovery was given: by it timeline switches are foreseen. */
export async function keepHistory(ring: Ring, path: string, name: string): Promise<void> {
  await replace(join(ring.folder, `${name}.given`), await readFile(path));
}

/** The histories that recovery was given, as far as they can be read. */
export async function givenHistories({ folder }: Ring): Promise<readonly TimelineHistory[]> {
  const found: TimelineHistory[] = [];
  for (const each of await readdir(folder).catch(() => [])) {
    const name = basename(each, '.given');
    if (name === each || parseWalFileName(name)?.kind !== 'history') continue;
    try {
      found.push(parseHistoryFile(await readFile(join(folder, each), 'utf8'), name));
    } catch {
      // It only means that this switch is not foreseen.
    }
  }
  return found;
}

/** Whether so many bytes more would leave the file system as much room again. */
export async function hasRoomFor({ folder }: Ring, bytes: number): Promise<boolean> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize >= 2 * bytes;
}

async function replace(path: string, content: string | Uint8Array): Promise<void> {
  const temporary = temporaryFor(path);
  await writeFile(temporary, content, { mode: 0o600 });
  await rename(temporary, path);
}
