import { isTsbkError } from '../../kernel/errors.ts';
import { formatInstant } from '../../kernel/instant.ts';
import { readClaim, type Claimant } from '../claim-record.ts';
import { sentinelKey } from '../layout.ts';
import type { Repository, RunOptions } from '../repository.ts';
import { claimName, removeUnfinished } from './claim.ts';

const TAKE_BACK_MS = 10_000;

/**
 * Claims a backup name, see `claimName`. A claim of unknown outcome is taken back, or it would stand in
 * the way of the next run.
 */
export async function holdName(
  repository: Repository,
  name: string,
  { claimant, signal }: { readonly claimant: Claimant; readonly signal: AbortSignal },
): Promise<boolean> {
  try {
    return await claimName(repository, name, claimant, { signal });
  } catch (error) {
    const unfinished = { name, runId: claimant.run, sentinelTried: false };
    const own = { signal: AbortSignal.timeout(TAKE_BACK_MS) };
    await removeUnfinished(repository, unfinished, own).catch(() => undefined);
    throw error;
  }
}

/** Who has a name, and what to do about a run that was killed. */
export async function describeHolder(
  repository: Repository,
  name: string,
  { signal }: RunOptions,
): Promise<string> {
  const sentinel = await repository.store.stat(sentinelKey(name), { signal });
  if (sentinel !== undefined) return 'that backup is complete';
  const claim = await readClaim(repository, name, { signal }).catch((error: unknown) => {
    if (isTsbkError(error, 'record-invalid')) return undefined;
    throw error;
  });
  const begun = claim?.started === undefined ? '' : `, begun ${formatInstant(claim.started)}`;
  const whose = claim === undefined ? 'of another run' : `of ${claim.host}${begun}`;
  return `an unfinished backup ${whose}. If it was killed, \`tsbk st claims --remove\` takes it away`;
}
