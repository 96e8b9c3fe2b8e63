import { inlineLanes } from '../lanes/inline.ts';
import { inlineWriter } from '../lanes/inline-writer.ts';
import { threadLanes } from '../lanes/threads.ts';
import type { Lanes, SmallLane } from '../ports/lanes.ts';
import type { Report } from '../ports/report.ts';
import type { LoadedSettings } from '../settings/load.ts';
import { toPortableSettings } from '../settings/portable.ts';
import type { LaneSetup } from './lane.ts';
import type { OpenedRepository } from './open-repository.ts';
import { diskPace } from './rate-limits.ts';

export type OpenedLanes = Lanes & AsyncDisposable;

/** In the source tree a file beside this one; in a build the bundle that stands beside this chunk. */
const ENTRY = new URL(
  import.meta.url.endsWith('.ts') ? './lane.ts' : './lane.mjs',
  import.meta.url,
);

/**
 * To start a thread and load its code costs twice the processor time that it takes to compress this, and
 * what a stream brings is not faster compressed beside it.
 */
const SMALL_BYTES_MAX = 32 * 1024 * 1024;

/**
 * Lanes that write to `repository` and read from it: worker threads, as many as the settings say,
 * or this thread where they say 0. `most` bounds them further. With `expects: 'little'` no thread starts before
 * there is more than a small lane takes.
 */
export function openLanes(
  settings: LoadedSettings,
  repository: OpenedRepository,
  options: {
    readonly report: Report;
    readonly most?: number;
    readonly expects?: 'little' | 'much';
  },
): OpenedLanes {
  const { report, most = settings.config.lanes, expects = 'much' } = options;
  const { cipherMaterial, limits, failpointCalls } = repository;
  const width = Math.min(most, settings.config.lanes);
  const setup: LaneSetup = {
    settings: toPortableSettings(settings),
    cipherMaterial,
    limits,
    failpointCalls,
  };
  const lanes = (): Lanes => {
    if (width === 0) return inlineLanes(repository, 1, { disk: diskPace(limits) });
    const threads = { width, entry: ENTRY, setup, report };
    if (expects === 'much') return threadLanes(threads);
    return { ...threadLanes({ ...threads, atOnce: 0 }), small: smallLane(repository) };
  };
  const opened = lanes();
  return { ...opened, [Symbol.asyncDispose]: () => opened.close() };
}

function smallLane(repository: OpenedRepository): SmallLane {
  return {
    bytesMax: SMALL_BYTES_MAX,
    open: (key, { signal }) => inlineWriter(repository, key, { turn: (work) => work(), signal }),
  };
}
