import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { prefetchWal, type PrefetchEnd, type PrefetchOptions } from '@tsbk/core/archive/prefetch';
import { openRing, segmentsInRing, tellWanted, type Ring } from '@tsbk/core/archive/ring';
import { loadRunSettings } from '@tsbk/core/engine/load-run-settings';
import { openRepository } from '@tsbk/core/engine/open-repository';
import type { Repository } from '@tsbk/core/repository/repository';
import { realClock } from './clock.ts';
import { eventually } from './eventually.ts';
import { tempDirectory } from './temp-directory.ts';
import { segmentContent, segmentName } from './wal-file.ts';

const MIB = 1024 * 1024;

/** A run of the one who fetches ahead. */
export interface PrefetchRun {
  readonly end: Promise<PrefetchEnd>;
  /** Waits for its end after a signal. */
  stop(): Promise<void>;
}

/** An archive of small segments, and the ring of a server that recovers from it. */
export interface RingSite extends AsyncDisposable {
  readonly repository: Repository;
  readonly root: string;
  readonly state: string;
  readonly ring: Ring;
  archive(names: readonly string[]): Promise<void>;
  /** Tells that recovery wanted this one and has it now. */
  wants(name: string): Promise<void>;
  run(options?: Partial<PrefetchOptions>): PrefetchRun;
  /** Waits until the ring holds just these. */
  holds(names: readonly string[]): Promise<void>;
}

/** Names of the segments `from` to `to` of a timeline. */
export function segmentNames(from: number, to: number, timeline = 1): string[] {
  return Array.from({ length: to - from + 1 }, (_, n) => segmentName(from + n, timeline));
}

/** In a directory, or where `env` says. */
export async function openRingSite(env?: Readonly<Record<string, string>>): Promise<RingSite> {
  const directory = await tempDirectory();
  const root = join(directory.path, 'repository');
  mkdirSync(root);
  const state = join(directory.path, 'state');
  const settings = await loadRunSettings({
    env: env ?? { WALG_FILE_PREFIX: root },
    flags: {},
    command: 'archive-get',
  });
  const repository = await openRepository(settings, {
    signal: new AbortController().signal,
    report: () => {},
    retryBudgetMs: 0,
  });
  const ring = await openRing(state, { place: root, systemId: undefined, server: 'one' });
  const held = async (): Promise<string> => (await segmentsInRing(ring)).toSorted().join();
  return {
    repository,
    root,
    state,
    ring,
    archive: async (names) => {
      const { signal } = new AbortController();
      for (const name of names) {
        await repository.store.put(`wal_005/${name}`, segmentContent(name), { signal });
      }
    },
    wants: (name) => tellWanted(ring, { name, segmentBytes: MIB }),
    run: (options = {}) => startRun(repository, ring, options),
    holds: async (names) => {
      const wanted = names.toSorted().join();
      await eventually(`a ring with ${wanted}`, async () =>
        (await held()) === wanted ? true : undefined,
      );
    },
    [Symbol.asyncDispose]: async () => {
      await repository[Symbol.asyncDispose]();
      await directory[Symbol.asyncDispose]();
    },
  };
}

function startRun(
  repository: Repository,
  ring: Ring,
  options: Partial<PrefetchOptions>,
): PrefetchRun {
  const controller = new AbortController();
  const given = { depth: 3, width: 2, patienceMs: 0, idleMs: 60_000, systemId: undefined };
  const isAsking = options.isAsking ?? (() => Promise.resolve(true));
  const end = prefetchWal(
    repository,
    ring,
    { ...given, ...options, isAsking },
    { signal: controller.signal, clock: realClock, report: () => {} },
  );
  end.catch(() => undefined);
  return {
    end,
    stop: async () => {
      controller.abort(new Error('the test is done with it'));
      await end.catch(() => undefined);
    },
  };
}
