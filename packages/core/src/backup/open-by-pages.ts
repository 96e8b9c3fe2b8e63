import { knownOrProblem } from './known-files.ts';
import type { Opener } from './opener.ts';
import { parentProblem } from './parent-problem.ts';
import { withSummaries } from './with-summaries.ts';

/**
 * Opens a backup of everything, in which tsbk itself finds what changed. Only the parent can be in the
 * way of that: what is known of its files, or where it lies.
 */
export const openByPages: Opener = async ({ repository, source }, { delta, reason }, options) => {
  const { request, signal } = options;
  const { parent } = delta;
  const known = await knownOrProblem(repository, parent, { signal });
  if (typeof known === 'string') return { kind: 'refused', by: 'parent', reason: known };
  const backup = await source.open(request, { signal });
  try {
    const problem = await parentProblem(repository, { parent, start: backup.start }, { signal });
    if (problem !== undefined) return { kind: 'refused', by: 'parent', reason: problem, backup };
    const chosen = { backup, delta: { ...delta, known }, reason };
    const told = await withSummaries(repository, chosen, { signal });
    return { kind: 'opened', backup, ...told };
  } catch (error) {
    await backup[Symbol.asyncDispose]();
    throw error;
  }
};
