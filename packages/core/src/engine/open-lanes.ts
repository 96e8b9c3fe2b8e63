import { inlineLanes } from '../lanes/inline.ts';
import { threadLanes } from '../lanes/threads.ts';
import type { Lanes } from '../ports/lanes.ts';
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
 * Lanes that write to `repository` and read from it: worker threads, as many as the settings say,
 * or this thread where they say 0. `most` bounds them further; `atOnce` of them start now.
 */
export function openLanes(
  settings: LoadedSettings,
  repository: OpenedRepository,
  options: { readonly report: Report; readonly most?: number; readonly atOnce?: number },
): OpenedLanes {
  const { report, most = settings.config.lanes, atOnce } = options;
  const { cipherMaterial, limits, failpointCalls } = repository;
  const width = Math.min(most, settings.config.lanes);
  const setup: LaneSetup = {
    settings: toPortableSettings(settings),
    cipherMaterial,
    limits,
    failpointCalls,
  };
  const lanes =
    width === 0
      ? inlineLanes(repository, 1, { disk: diskPace(limits) })
      : threadLanes({ width, atOnce, entry: ENTRY, setup, report });
  return { ...lanes, [Symbol.asyncDispose]: () => lanes.close() };
}
