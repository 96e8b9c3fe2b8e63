import { utimes, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { parseWalFileName } from '@tsbk/core/kernel/wal-file';
import { messageOf } from '@tsbk/core/kernel/errors';
import {
  AHEAD_FOLDER,
  hasRoomFor,
  keepHistory,
  openRing,
  tellWanted,
  type Ring,
  type Wanted,
} from '@tsbk/core/archive/ring';
import { hasKeeper } from '@tsbk/core/archive/ring-keeper';
import { takeAhead } from '@tsbk/core/archive/take-ahead';
import { temporaryFor } from '@tsbk/core/archive/temporary-file';
import { recoveringServer, type ServerRun } from '@tsbk/core/cluster/recovering-server';
import { stateDirectoryOf } from '@tsbk/core/cluster/state-directory';
import { systemIdOfDataDirectory } from '@tsbk/core/cluster/system-id';
import { placeOf } from '@tsbk/core/engine/place-of';
import { systemClock } from '@tsbk/core/engine/clock';
import { processIdentity } from '@tsbk/core/engine/process-identity';
import type { GetRun } from './run.ts';

/** What was fetched ahead for the server that asks, and what is to be. */
export interface Ahead {
  readonly ring: Ring;
  /** Hands a segment over that is there, or will be in a moment. Whether it did. */
  take(wal: WalRequest, signal: AbortSignal): Promise<boolean>;
  /** Tells what came from the archive itself, and has the next ones fetched. Never throws. */
  fetched(wal: WalRequest): Promise<void>;
}

interface WalRequest {
  readonly name: string;
  readonly destination: string;
}

/**
 * `undefined` without a server that recovers, and where nothing is to be fetched ahead. Never
 * throws: without a ring it takes longer, and that is all.
 */
export async function openAhead(run: GetRun): Promise<Ahead | undefined> {
  const { config } = run.settings;
  const server = await recoveringServer(run.dataDir);
  if (config.getAhead === 0 || server === undefined) return undefined;
  const stateDirectory = stateDirectoryOf(run.dataDir, config.stateDirectory);
  try {
    const ring = await openRing(stateDirectory, {
      place: placeOf(config) ?? '',
      systemId: await systemIdOfDataDirectory(run.dataDir),
      server: server.id,
    });
    await rememberAsked(join(stateDirectory, AHEAD_FOLDER), ring, run);
    return aheadIn(ring, server, run);
  } catch (error) {
    run.log(`warning: nothing is fetched ahead: ${messageOf(error)}`);
    return undefined;
  }
}

function aheadIn(ring: Ring, server: ServerRun, run: GetRun): Ahead {
  const keepFilled = async (wanted: Wanted): Promise<void> => {
    const self = processIdentity();
    // A postmaster that is process 1 would inherit the one that fetches, and take its being killed
    // for the crash of a backend.
    if (self === undefined || server.pid === 1 || (await hasKeeper(ring, self))) return;
    // Whoever begins now begins behind this segment.
    await tellWanted(ring, wanted);
    const bytes = wanted.segmentBytes * run.settings.config.getAhead;
    if (await hasRoomFor(ring, bytes)) run.startPrefetcher?.();
  };
  return {
    ring,
    take: async (wal, signal) => {
      if (parseWalFileName(wal.name)?.kind !== 'segment') return false;
      const segmentBytes = await takeAhead(ring, wal, { signal, clock: systemClock });
      if (segmentBytes === undefined) return false;
      await keepFilled({ name: wal.name, segmentBytes }).catch(() => undefined);
      return true;
    },
    fetched: async ({ name, destination }) => {
      try {
        const kind = parseWalFileName(name)?.kind;
        if (kind === 'history') await keepHistory(ring, destination, name);
        if (kind !== 'segment') return;
        const wanted = { name, segmentBytes: (await stat(destination)).size };
        await tellWanted(ring, wanted);
        await keepFilled(wanted);
      } catch (error) {
        run.log(`warning: nothing is fetched ahead: ${messageOf(error)}`);
      }
    },
  };
}

/**
 * Leaves for the launcher which ring answers the question it was asked, word for word. It bears the
 * time at which this process began, before it read its settings: if the settings file is newer than
 * that, the launcher does not go by it. A second is taken off, for shells that compare whole ones.
 */
async function rememberAsked(folder: string, ring: Ring, run: GetRun): Promise<void> {
  const { askedAs } = run;
  const path = join(folder, 'asked');
  if (askedAs === undefined || askedAs.text === '') return;
  const temporary = temporaryFor(path);
  const seconds = Math.floor(askedAs.beganMs / 1000) - 1;
  try {
    const way = (await isOnOneFileSystem(ring, run)) ? 'rename' : 'copy';
    const record = `${basename(ring.folder)} ${way}\n${askedAs.text}`;
    await writeFile(temporary, record, { mode: 0o600 });
    await utimes(temporary, seconds, seconds);
    await rename(temporary, path);
  } finally {
    await rm(temporary, { force: true });
  }
}

/** Whether a rename leads from the ring to where the file is wanted. */
async function isOnOneFileSystem(ring: Ring, { positionals, dataDir }: GetRun): Promise<boolean> {
  const wanted = await stat(resolve(dataDir, dirname(positionals[1] ?? '')));
  return wanted.dev === (await stat(ring.folder)).dev;
}
