import { isTsbkError, TsbkError } from '../kernel/errors.ts';
import type { BackupRequest, BackupSource, OpenBackup } from '../ports/backup-source.ts';
import type { Report } from '../ports/report.ts';
import type { Repository } from '../repository/repository.ts';
import type { DeltaWish } from './decide-delta.ts';
import type { Delta } from './parent.ts';
import { knownOrProblem } from './known-files.ts';
import { parentManifest } from './parent-manifest.ts';
import { parentProblem } from './parent-problem.ts';
import { withSummaries } from './with-summaries.ts';

/** A backup under way, and whether it is a delta. */
export interface OpenedBackup {
  readonly backup: OpenBackup;
  readonly delta: Delta | undefined;
  /** Why it is full, or why the changes come from where they do: a clause for people. */
  readonly reason: string;
}

/**
 * Starts a backup, a delta if it was decided so and nothing is in the way. Where something is, a full
 * backup is taken and a warning says why (`delta-refused`); with `fallback: 'fail'` that is an error.
 */
export async function openDelta(
  { repository, source }: { readonly repository: Repository; readonly source: BackupSource },
  request: BackupRequest & DeltaWish,
  { signal, report }: { readonly signal: AbortSignal; readonly report: Report },
): Promise<OpenedBackup> {
  const { decision, fallback } = request;
  const full = async (reason: string, backup?: OpenBackup): Promise<OpenedBackup> => ({
    backup: backup ?? (await source.open(request, { signal })),
    delta: undefined,
    reason,
  });
  const refused = (reason: string): string => {
    if (fallback === 'fail') throw refusal(reason);
    report({ kind: 'warning', code: 'delta-refused', text: `full backup instead: ${reason}` });
    return reason;
  };
  if (decision.kind === 'full') {
    return await full(decision.obstacle ? refused(decision.reason) : decision.reason);
  }
  const { delta, reason } = decision;
  if (delta.source === 'server') {
    try {
      const sinceManifest = await parentManifest(repository, delta.parent, { signal });
      const backup = await source.open({ ...request, sinceManifest }, { signal });
      return { backup, delta, reason };
    } catch (error) {
      if (fallback === 'fail' || !isTsbkError(error, 'delta-refused')) throw error;
      return await full(refused(error.message));
    }
  }
  const { parent } = delta;
  const known = await knownOrProblem(repository, parent, { signal });
  if (typeof known === 'string') return await full(refused(known));
  const backup = await source.open(request, { signal });
  try {
    const problem = await parentProblem(repository, { parent, start: backup.start }, { signal });
    if (problem === undefined) {
      const chosen = { backup, delta: { ...delta, known }, reason };
      const told = await withSummaries(repository, chosen, { signal });
      return { ...told, backup };
    }
    return await full(refused(problem), backup);
  } catch (error) {
    await backup[Symbol.asyncDispose]();
    throw error;
  }
}

function refusal(reason: string): TsbkError {
  return new TsbkError('delta-refused', `no delta can be taken: ${reason}`, {
    hint: 'Take a full backup (--full), or let tsbk do so by itself: TSBK_DELTA_FALLBACK=full.',
  });
}
