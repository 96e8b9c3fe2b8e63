import { stat, statfs } from 'node:fs/promises';
import { TsbkError } from '../../kernel/errors.ts';
import { formatSize } from '../../kernel/size.ts';
import type { TreePlace } from '../../ports/extract.ts';
import type { Lanes } from '../../ports/lanes.ts';
import type { Report } from '../../ports/report.ts';
import type { Repository, RunOptions } from '../../repository/repository.ts';
import { manifestCheck, type ExistingTree } from '../extract.ts';
import type { RestorePlan } from '../plan.ts';
import { compareTree, type ComparedTree } from './compare-tree.ts';
import type { ExistingCluster } from './existing-cluster.ts';
import { FileFates } from './file-fates.ts';
import { narrowLinks } from './narrow-links.ts';

/** What a restore in place will do, beside what every restore does. */
export interface InPlacePlan {
  /** Only what is needed is in its `links`; `problems` has what was found. */
  readonly plan: RestorePlan;
  readonly compared: ComparedTree;
  readonly fates: FileFates;
  readonly tree: ExistingTree;
}

interface InPlaceInputs {
  readonly repository: Repository;
  readonly lanes: Lanes;
  readonly plan: RestorePlan & { readonly existing: ExistingCluster };
  readonly place: TreePlace;
}

/**
 * Compares the data directory of a plan with the backup, and leaves in the plan what has to be
 * fetched. Changes nothing. Throws what `manifestCheck`, `compareTree` and `narrowLinks` throw.
 */
export async function planInPlace(
  { repository, lanes, plan, place }: InPlaceInputs,
  options: RunOptions & { readonly report: Report },
): Promise<InPlacePlan> {
  const { signal, report } = options;
  const { roll, existing } = plan;
  report({ kind: 'phase', phase: 'compare', text: `comparing ${place.root} with the backup` });
  const check = await manifestCheck(repository, plan, { signal });
  const fates = new FileFates(roll);
  const inputs = { lanes, place, major: existing.major, fates, check };
  const compared = await compareTree(inputs, options);
  const hasUnlisted = check?.hasRawNames === true;
  const links =
    roll === undefined
      ? plan.links
      : await narrowLinks(
          repository,
          { links: plan.links, roll, kept: fates.kept, hasUnlisted },
          { signal },
        );
  const tars = links.flatMap((link) => link.tars);
  const space = await spaceProblem(plan, place, compared);
  const found = [compared.problem, space].filter((problem) => problem !== undefined);
  return {
    plan: {
      ...plan,
      links,
      fetchBytes: tars.reduce((sum, { storedBytes }) => sum + storedBytes, 0),
      problems: [...plan.problems, ...found],
    },
    compared,
    fates,
    tree: { check, files: fates, mode: existing.mode },
  };
}

/** Whether there is room: for all, less what is there, on all file systems together. */
async function spaceProblem(
  { writeBytes = 0 }: RestorePlan,
  { root, tablespaces }: TreePlace,
  { kept, over, removed }: ComparedTree,
): Promise<TsbkError | undefined> {
  const needed = writeBytes - kept.bytes - over.bytes - removed.bytes;
  const free = new Map<number, number>();
  for (const path of [root, ...tablespaces.values()]) {
    const found = await Promise.all([stat(path), statfs(path)]).catch(() => undefined);
    if (found === undefined) continue;
    const [{ dev }, { bavail, bsize }] = found;
    free.set(dev, bavail * bsize);
  }
  const freeBytes = [...free.values()].reduce((sum, bytes) => sum + bytes, 0);
  if (needed <= freeBytes) return undefined;
  return new TsbkError(
    'disk-full',
    `${root}: ${formatSize(needed)} more will be there and ${formatSize(freeBytes)} are free`,
    { hint: 'Free some space.' },
  );
}

/** Where a plan puts its files. */
export function placeOf(plan: RestorePlan, { fsync }: { readonly fsync: boolean }): TreePlace {
  return {
    root: plan.destination,
    tablespaces: new Map(plan.tablespaces.map(({ oid, location }) => [oid, location])),
    walLocation: plan.existing?.walLocation,
    fsync,
  };
}
