import { prefetchWal } from '@tsbk/core/archive/prefetch';
import { openRing } from '@tsbk/core/archive/ring';
import { becomeKeeper } from '@tsbk/core/archive/ring-keeper';
import { recoveringServer } from '@tsbk/core/cluster/recovering-server';
import { stateDirectoryOf } from '@tsbk/core/cluster/state-directory';
import { systemIdOfDataDirectory } from '@tsbk/core/cluster/system-id';
import { placeOf } from '@tsbk/core/engine/place-of';
import { systemClock } from '@tsbk/core/engine/clock';
import { openRepository } from '@tsbk/core/engine/open-repository';
import { processIdentity } from '@tsbk/core/engine/process-identity';
import type { LoadedSettings } from '@tsbk/core/settings/load';
import { patienceMs } from './patience.ts';

export interface PrefetcherRun {
  readonly settings: LoadedSettings;
  /** The server's data directory. */
  readonly dataDir: string;
  readonly signal: AbortSignal;
}

/** Longer than the replay of a segment takes, unless it waits for something. */
const IDLE_MS = 60_000;

/**
 * Fetches ahead for the server in the data directory for as long as it recovers and takes what is
 * fetched. One at a time; a second one ends at once.
 */
export async function runPrefetcher({ settings, dataDir, signal }: PrefetcherRun): Promise<void> {
  const { config } = settings;
  const server = await recoveringServer(dataDir);
  const self = processIdentity();
  if (server === undefined || self === undefined || config.getAhead === 0) return;
  const systemId = await systemIdOfDataDirectory(dataDir);
  const ring = await openRing(stateDirectoryOf(dataDir, config.stateDirectory), {
    place: placeOf(config) ?? '',
    systemId,
    server: server.id,
  });
  await using keeper = await becomeKeeper(ring, self);
  if (keeper === undefined) return;
  const report = (): void => {};
  await using repository = await openRepository(settings, { signal, retryBudgetMs: 0, report });
  const options = {
    depth: config.getAhead,
    width: Math.min(config.downloadConcurrency, config.getAhead),
    patienceMs: patienceMs(settings, dataDir),
    systemId,
    idleMs: IDLE_MS,
    isAsking: async () => (await recoveringServer(dataDir))?.id === server.id,
  };
  await prefetchWal(repository, ring, options, { signal, clock: systemClock, report });
}
