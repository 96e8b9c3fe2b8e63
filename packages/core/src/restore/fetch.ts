import { chmod, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../kernel/errors.ts';
import type { TreePlace } from '../ports/extract.ts';
import type { Lanes } from '../ports/lanes.ts';
import type { Report } from '../ports/report.ts';
import type { Repository, RunOptions } from '../repository/repository.ts';
import { claimDirectories, type ClaimedDirectories } from '../cluster/claim-directories.ts';
import { syncDirectory } from '../cluster/late-sync.ts';
import { createPlacer } from '../cluster/place.ts';
import { writeDurably } from '../cluster/write-durably.ts';
import { writeFailed } from '../cluster/write-failed.ts';
import { builtFiles } from './built-files.ts';
import { completeTree } from './complete-tree.ts';
import { extractTars, type Extracted } from './extract.ts';
import { requireControl } from '../repository/chain/held-files.ts';
import { INCOMPLETE_MARK, incompleteMarkText } from './incomplete-mark.ts';
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
}

/** What a backup is restored from and by. */
export interface FetchInputs {
  readonly repository: Repository;
  readonly lanes: Lanes;
}

type FetchOptions = RunOptions & { readonly report: Report };

/**
 * Restores a backup: plans, refuses what cannot end well before anything is written, unpacks,
 * checks, and places `pg_control` last, so that no server can start on less than the whole. When it
 * fails it removes what it wrote; a directory that was there before stays, empty. Throws what
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
  const { destination, tablespaces } = plan;
  const claimed = await claimDirectories([destination, ...tablespaces.map((t) => t.location)]);
  try {
    await writeMark(plan);
    const extracted = await fill(inputs, { plan, request }, options);
    await placeControl(plan, extracted);
    await removeMark(plan, { claimed, rootMode: extracted.rootMode });
    return { plan, files: extracted.files, bytes: extracted.bytes };
  } catch (error) {
    throw await cleanedUp(claimed, error, options.report);
  }
}

/** Everything but `pg_control`, flushed. */
async function fill(
  { repository, lanes }: FetchInputs,
  { plan, request }: { readonly plan: RestorePlan; readonly request: FetchRequest },
  { signal, report }: FetchOptions,
): Promise<Extracted> {
  const { destination: root, backup } = plan;
  const tablespaces = new Map(plan.tablespaces.map(({ oid, location }) => [oid, location]));
  const place: TreePlace = { root, tablespaces, fsync: request.fsync };
  const placer = createPlacer({ ...place, signal });
  try {
    report({ kind: 'phase', phase: 'extract', text: `restoring ${backup.name} to ${root}` });
    const inputs = { repository, lanes, plan, place, placer };
    const extracted = await extractTars(inputs, { signal, report });
    report({ kind: 'phase', phase: 'complete', text: 'completing the directory' });
    const built = builtFiles({ lanes, place, extracted }, { signal });
    await completeTree({ repository, plan, placer, extracted, built }, { signal });
    return extracted;
  } finally {
    await placer.abandon();
  }
}

async function writeMark({ destination, backup, tablespaces }: RestorePlan): Promise<void> {
  const mark = join(destination, INCOMPLETE_MARK);
  const text = incompleteMarkText(
    backup.name,
    tablespaces.map(({ location }) => location),
  );
  await attempt(mark, async () => {
    await writeDurably(mark, Buffer.from(text), 0o600);
    await syncDirectory(destination);
  });
}

/** From here on a server can start. */
async function placeControl(
  { destination, backup }: RestorePlan,
  { held }: Extracted,
): Promise<void> {
  const { bytes, mode } = requireControl(held, backup);
  const folder = join(destination, 'global');
  const control = join(folder, 'pg_control');
  await attempt(control, async () => {
    await writeDurably(control, bytes, 0o600);
    await chmod(control, mode & 0o777);
    await syncDirectory(folder);
  });
}

async function removeMark(
  { destination }: RestorePlan,
  done: { readonly claimed: ClaimedDirectories; readonly rootMode: number },
): Promise<void> {
  const mark = join(destination, INCOMPLETE_MARK);
  await attempt(mark, async () => {
    await done.claimed.sync();
    await chmod(destination, done.rootMode);
    await rm(mark);
    await syncDirectory(destination);
  });
}

async function attempt(what: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    throw writeFailed(what, error);
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
