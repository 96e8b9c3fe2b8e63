import { isTsbkError, messageOf } from '../../kernel/errors.ts';
import type { Report } from '../../ports/report.ts';
import type { Repository } from '../repository.ts';
import { releaseName, removeUnfinished, type Unfinished } from './claim.ts';

/** How long the clean-up of a failed run may take. */
const CLEANUP_MS = 60_000;

/** Gives the name back when the backup is there: nothing may fail any more, so this only warns. */
export async function release(repository: Repository, name: string, report: Report): Promise<void> {
  try {
    await releaseName(repository, name, { signal: AbortSignal.timeout(CLEANUP_MS) });
  } catch (error) {
    report({
      kind: 'warning',
      code: 'claim-left',
      text: `${name} is complete; its claim could not be removed (${messageOf(error)})`,
    });
  }
}

/**
 * Removes what a failed run has stored; what it cannot remove it warns of. The run's own signal may be aborted already, so the clean-up
 * has one of its own.
 */
export async function cleanUp(
  repository: Repository,
  unfinished: Unfinished,
  { error, report }: { readonly error: unknown; readonly report: Report },
): Promise<void> {
  // Somebody else writes under this name: what lies there is not ours to remove.
  if (isTsbkError(error, 'object-exists')) return;
  try {
    await removeUnfinished(repository, unfinished, { signal: AbortSignal.timeout(CLEANUP_MS) });
  } catch (cleanupError) {
    report({
      kind: 'warning',
      code: 'unfinished-left',
      text: `objects of the unfinished ${unfinished.name} could not be removed (${messageOf(cleanupError)}); they are no backup`,
    });
  }
}
