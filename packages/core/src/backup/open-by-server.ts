import { isTsbkError, type TsbkError } from '../kernel/errors.ts';
import { saysDamaged } from './known-files.ts';
import type { Opener, RefusedDelta } from './opener.ts';
import { parentManifest } from './parent-manifest.ts';

/** Has the server make the increments. It is given the parent's manifest for that, and may refuse. */
export const openByServer: Opener = async ({ repository, source }, { delta, reason }, options) => {
  const { request, signal } = options;
  try {
    const sinceManifest = await parentManifest(repository, delta.parent, { signal });
    const backup = await source.open({ ...request, sinceManifest }, { signal });
    return { kind: 'opened', backup, delta, reason };
  } catch (error) {
    if (isTsbkError(error, 'delta-refused')) return refused('source', error);
    if (isTsbkError(error, 'parent-refused') || saysDamaged(error)) return refused('parent', error);
    throw error;
  }
};

function refused(by: RefusedDelta['by'], error: TsbkError): RefusedDelta {
  return { kind: 'refused', by, reason: error.message, error };
}
