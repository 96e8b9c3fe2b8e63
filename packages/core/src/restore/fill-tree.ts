import { chmod, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { TreePlace } from '../ports/extract.ts';
import type { Lanes } from '../ports/lanes.ts';
import type { Report } from '../ports/report.ts';
import type { Repository, RunOptions } from '../repository/repository.ts';
import { syncDirectory } from '../cluster/late-sync.ts';
import { createPlacer } from '../cluster/place.ts';
import { writeDurably } from '../cluster/write-durably.ts';
import { writeFailed } from '../cluster/write-failed.ts';
import { builtFiles } from './built-files.ts';
import { completeTree } from './complete-tree.ts';
import { extractTars, type ExistingTree, type Extracted } from './extract.ts';
import { requireControl } from '../repository/chain/held-files.ts';
import { INCOMPLETE_MARK, incompleteMarkText } from './incomplete-mark.ts';
import type { RestorePlan } from './plan.ts';

/** What a backup is restored from and by. */
export interface FetchInputs {
  readonly repository: Repository;
  readonly lanes: Lanes;
}

interface FillWork {
  readonly plan: RestorePlan;
  readonly place: TreePlace;
  /** Of a directory that is restored in place. */
  readonly existing?: ExistingTree;
}

/** Writes everything but `pg_control`, flushed. Throws what `extractTars` and the placer throw. */
export async function fillTree(
  { repository, lanes }: FetchInputs,
  { plan, place, existing }: FillWork,
  { signal, report }: RunOptions & { readonly report: Report },
): Promise<Extracted> {
  const placer = createPlacer({ ...place, signal });
  try {
    const text = `restoring ${plan.backup.name} to ${place.root}`;
    report({ kind: 'phase', phase: 'extract', text });
    const inputs = { repository, lanes, plan, place, placer, existing };
    const extracted = await extractTars(inputs, { signal, report });
    report({ kind: 'phase', phase: 'complete', text: 'completing the directory' });
    const built = builtFiles({ lanes, place, extracted }, { signal });
    await completeTree({ repository, plan, placer, extracted, built }, { signal });
    return extracted;
  } finally {
    await placer.abandon();
  }
}

/** Says in the directory that it is not complete: the first thing that is written. */
export async function writeMark({ destination, backup, tablespaces }: RestorePlan): Promise<void> {
  const mark = join(destination, INCOMPLETE_MARK);
  const text = incompleteMarkText({
    backup: backup.name,
    systemId: backup.systemId?.toString(),
    tablespaces: tablespaces.map(({ location }) => location),
  });
  await attempt(mark, async () => {
    await writeDurably(mark, Buffer.from(text), 0o600);
    await syncDirectory(destination);
  });
}

/** From here on a server can start. */
export async function placeControl(
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

/** The last step: what it is told to do and the removal of the mark are flushed. */
export async function removeMark(
  { destination }: RestorePlan,
  done: { readonly sync: () => Promise<void>; readonly rootMode: number },
): Promise<void> {
  const mark = join(destination, INCOMPLETE_MARK);
  await attempt(mark, async () => {
    await done.sync();
    await chmod(destination, done.rootMode);
    await rm(mark);
    await syncDirectory(destination);
  });
}

/** What fails comes out as `restore-failed` or `disk-full`, naming `what`. */
export async function attempt(what: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    throw writeFailed(what, error);
  }
}
