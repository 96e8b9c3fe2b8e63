import { mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Report } from '../../ports/report.ts';
import { takeServerLock } from '../../cluster/server-lock.ts';
import { syncDirectory } from '../../cluster/late-sync.ts';
import type { RunOptions } from '../../repository/repository.ts';
import type { Extracted } from '../extract.ts';
import {
  attempt,
  fillTree,
  placeControl,
  removeMark,
  writeMark,
  type FetchInputs,
} from '../fill-tree.ts';
import type { RestorePlan } from '../plan.ts';
import type { Amount } from './compare-tree.ts';
import type { ExistingCluster } from './existing-cluster.ts';
import { placeOf, planInPlace, type InPlacePlan } from './plan-in-place.ts';
import { removeForeign } from './remove-foreign.ts';

/** What a restore in place found. */
export interface InPlaceResult {
  /** Files that were what the backup has. */
  readonly kept: Amount;
  /** Files that the backup does not have, or that were made anew. */
  readonly removed: Amount;
  /** Of files that came again, what they had already and was not written. */
  readonly sparedBytes: number;
}

interface InPlaceWork {
  readonly plan: RestorePlan & { readonly existing: ExistingCluster };
  readonly request: { readonly fsync: boolean };
}

type Options = RunOptions & { readonly report: Report };

/**
 * Brings a data directory to a backup's state. Until everything is known nothing is changed but the
 * lock, which keeps servers and other restores out. Then the directory loses its `pg_control`, gets
 * its mark, and has neither back nor off before it is whole: what fails in between is repeated, and
 * finds what is done already. Throws what `planInPlace` throws or found, and what `fillTree` throws.
 */
export async function fetchInPlace(
  inputs: FetchInputs,
  { plan, request }: InPlaceWork,
  options: Options,
): Promise<{
  readonly plan: RestorePlan;
  readonly files: number;
  readonly bytes: number;
  readonly inPlace: InPlaceResult;
}> {
  const place = placeOf(plan, request);
  const lock = await takeServerLock(place.root);
  let isBegun = false;
  try {
    const planned = await planInPlace({ ...inputs, plan, place }, options);
    const [problem] = planned.plan.problems;
    if (problem !== undefined) throw problem;
    isBegun = true;
    const extracted = await bring(inputs, { planned, plan, request }, options);
    const { kept, removed } = planned.compared;
    const { files, bytes, sparedBytes } = extracted;
    return { plan: planned.plan, files, bytes, inPlace: { kept, removed, sparedBytes } };
  } catch (error) {
    const text = isBegun
      ? `${place.root} is not complete: repeat the restore with --delta`
      : `nothing in ${place.root} was changed`;
    options.report({ kind: 'info', text });
    throw error;
  } finally {
    await lock.release();
  }
}

async function bring(
  inputs: FetchInputs,
  { planned, plan, request }: InPlaceWork & { readonly planned: InPlacePlan },
  options: Options,
): Promise<Extracted> {
  const { signal, report } = options;
  const place = placeOf(plan, request);
  const { fates, tree } = planned;
  await writeMark(plan);
  await removeControl(plan.destination);
  const made = await makeTablespaces(plan);
  report({ kind: 'phase', phase: 'remove', text: 'removing what the backup does not have' });
  await removeForeign({ place, major: plan.existing.major, fates }, { signal });
  const work = { plan: planned.plan, place, existing: tree };
  const extracted = await fillTree(inputs, work, options);
  await placeControl(plan, extracted);
  await removeMark(plan, {
    rootMode: extracted.rootMode,
    sync: async () => {
      for (const path of made) await syncDirectory(dirname(path));
    },
  });
  return extracted;
}

/** From here on no server starts. */
async function removeControl(root: string): Promise<void> {
  const folder = join(root, 'global');
  const control = join(folder, 'pg_control');
  await attempt(control, async () => {
    await rm(control, { force: true });
    // What an interrupted restore has left may have no such directory yet.
    await mkdir(folder, { mode: 0o700, recursive: true });
    await syncDirectory(folder);
  });
}

/** Directories of tablespaces that are not there. Gives those it made. */
async function makeTablespaces({ tablespaces }: RestorePlan): Promise<string[]> {
  const made: string[] = [];
  for (const { location } of tablespaces) {
    await attempt(location, async () => {
      const first = await mkdir(location, { mode: 0o700, recursive: true });
      if (first !== undefined) made.push(location);
    });
  }
  return made;
}
