import type { TreePlace } from '../ports/extract.ts';
import type { Lanes } from '../ports/lanes.ts';
import type { Report } from '../ports/report.ts';
import type { Repository } from '../repository/repository.ts';
import type { Placer } from '../cluster/place.ts';
import { mapParallel } from '../stream/parallel.ts';
import { Arrivals } from './arrivals.ts';
import type { HeldFiles } from './held-files.ts';
import { readListedFiles } from './listed-files.ts';
import { readManifestCheck } from './manifest-check.ts';
import type { PlannedTar, RestorePlan } from './plan.ts';

/** What came out of the tars beside the files that are in place. */
export interface Extracted {
  readonly held: HeldFiles;
  /** Permission bits of the data directory: 0o700 or 0o750. */
  readonly rootMode: number;
  readonly files: number;
  readonly bytes: number;
}

export interface ExtractInputs {
  readonly repository: Repository;
  readonly lanes: Lanes;
  readonly plan: RestorePlan;
  readonly place: TreePlace;
  /** Finishes the tree that the lanes fill. */
  readonly placer: Placer;
}

interface ExtractOptions {
  readonly signal: AbortSignal;
  readonly report: Report;
}

/**
 * Unpacks the tars of a plan, one a lane and those with `pg_control` and labels after the others,
 * and checks everything there is a record of: each object against its hashes, each file against
 * the manifest, and that no file is missing. Throws what `extractTar` and `Arrivals` throw.
 */
export async function extractTars(
  { repository, lanes, plan, place, placer }: ExtractInputs,
  { signal, report }: ExtractOptions,
): Promise<Extracted> {
  const check =
    plan.manifest === undefined
      ? undefined
      : await readManifestCheck(repository, plan.manifest, { signal });
  const listed = await readListedFiles(repository, plan, { signal });
  const arrivals = new Arrivals(plan, { check, listed }, report);
  let rootMode: number | undefined;
  const unpack = async (tar: PlannedTar, both: AbortSignal): Promise<void> => {
    const { key, extension, record } = tar;
    const receipt = await lanes.extract(
      {
        tar: { key, extension, record },
        place,
        // A tar that tsbk made holds nothing else: its hash proves it.
        wanted: record === undefined ? listed?.names : undefined,
        checksum: check?.algorithm ?? 'NONE',
      },
      { signal: both, onBatch: (batch) => arrivals.batch(batch, tar) },
    );
    placer.adopt(receipt);
    rootMode = receipt.rootMode ?? rootMode;
  };
  for (const last of [false, true]) {
    // The largest first: what comes last is what the lanes end at different times with.
    const tars = plan.tars
      .filter((tar) => tar.last === last)
      .toSorted((a, b) => b.storedBytes - a.storedBytes);
    await mapParallel(tars, { width: lanes.width, signal }, unpack);
  }
  await arrivals.complete();
  const { held, files, bytes } = arrivals;
  return { held, files, bytes, rootMode: (rootMode ?? 0) % 0o1000 === 0o750 ? 0o750 : 0o700 };
}
