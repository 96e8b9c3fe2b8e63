import { messageOf } from '../kernel/errors.ts';
import type { Report } from '../ports/report.ts';
import type { RunOptions } from '../repository/repository.ts';
import { claimDirectories, type ClaimedDirectories } from '../cluster/claim-directories.ts';
import { fillTree, placeControl, removeMark, writeMark, type FetchInputs } from './fill-tree.ts';
import { fetchInPlace, type InPlaceResult } from './in-place/fetch-in-place.ts';
import { placeOf } from './in-place/plan-in-place.ts';
import type { RestorePlan, RestoreRequest } from './plan.ts';
import { planRestore } from './plan-restore.ts';

export interface FetchRequest extends RestoreRequest {
  /** `false`: a crash of the machine after the restore may ruin it. */
  readonly fsync: boolean;
}

export interface RestoreResult {
  readonly plan: RestorePlan;
  readonly files: number;
  readonly bytes: number;
  /** What was there before, if the directory was restored in place. */
  readonly inPlace?: InPlaceResult;
}

type FetchOptions = RunOptions & { readonly report: Report };

/**
 * Restores a backup: plans, refuses what cannot end well before anything is written, unpacks,
 * checks, and places `pg_control` last, so that no server can start on less than the whole. When it
 * fails it removes what it wrote; a directory that was there before stays, empty. One that is
 * restored in place stays as it is then, marked and without `pg_control`. Throws what
 * `planRestore` throws or found, and what `extractTars` throws.
 */
export async function fetchBackup(
  inputs: FetchInputs,
  request: FetchRequest,
  options: FetchOptions,
): Promise<RestoreResult> {
  const plan = await planRestore(inputs.repository, request, options);
  const [problem] = plan.problems;
  if (problem !== undefined) throw problem;
  for (const { code, text } of plan.warnings) options.report({ kind: 'warning', code, text });
  const { existing } = plan;
  if (existing !== undefined) {
    return await fetchInPlace(inputs, { plan: { ...plan, existing }, request }, options);
  }
  const { destination, tablespaces } = plan;
  const claimed = await claimDirectories([destination, ...tablespaces.map((t) => t.location)]);
  try {
    await writeMark(plan);
    const extracted = await fillTree(inputs, { plan, place: placeOf(plan, request) }, options);
    await placeControl(plan, extracted);
    await removeMark(plan, { sync: () => claimed.sync(), rootMode: extracted.rootMode });
    return { plan, files: extracted.files, bytes: extracted.bytes };
  } catch (error) {
    throw await cleanedUp(claimed, error, options.report);
  }
}

/** Removes what the failed restore wrote, so that it can be tried again; gives its error back. */
async function cleanedUp(
  claimed: ClaimedDirectories,
  error: unknown,
  report: Report,
): Promise<unknown> {
  try {
    await claimed.clear();
    report({ kind: 'info', text: 'what the failed restore had written is removed' });
  } catch (cleanUpError) {
    const text = `not everything that the failed restore had written could be removed: ${messageOf(cleanUpError)}`;
    report({ kind: 'warning', code: 'leftovers', text });
  }
  return error;
}
