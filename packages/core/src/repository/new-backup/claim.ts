import { claimText, readClaim, type Claimant } from '../claim-record.ts';
import { backupFolder, claimKey, sentinelKey } from '../layout.ts';
import type { Repository, RunOptions } from '../repository.ts';
import { mapParallel } from '../../stream/parallel.ts';

/**
 * Claims a backup name for this run. `false` if a backup of that name exists, another run holds it,
 * or one that was killed left objects under it: parts of two runs must never lie in one folder,
 * because a restore takes what it finds there.
 */
export async function claimName(
  repository: Repository,
  backup: string,
  claimant: Claimant,
  { signal }: RunOptions,
): Promise<boolean> {
  const { store, clock } = repository;
  if ((await store.stat(sentinelKey(backup), { signal })) !== undefined) return false;
  for await (const _ of store.list(backupFolder(backup), { signal })) return false;
  const claim = claimText(claimant, clock.now());
  const outcome = await store.put(claimKey(backup), Buffer.from(claim), { signal, ifAbsent: true });
  return outcome === 'stored';
}

/** Gives the name back once the sentinel stands. */
export async function releaseName(
  repository: Repository,
  backup: string,
  { signal }: RunOptions,
): Promise<void> {
  await repository.store.remove(claimKey(backup), { signal });
}

/** What a failed run may have left. */
export interface Unfinished {
  readonly name: string;
  readonly runId: string;
  /** The sentinel was sent and its outcome is not known. */
  readonly sentinelTried: boolean;
}

const REMOVALS_AT_ONCE = 16;

/**
 * Removes everything that a failed run stored, the sentinel first and the claim last. Nothing is
 * removed unless the claim is this run's: another tool may have made a backup of the same name.
 */
export async function removeUnfinished(
  repository: Repository,
  { name, runId, sentinelTried }: Unfinished,
  { signal }: RunOptions,
): Promise<void> {
  const { store } = repository;
  const claim = claimKey(name);
  if ((await readClaim(repository, name, { signal }))?.run !== runId) return;
  if (sentinelTried) await store.remove(sentinelKey(name), { signal });
  else if ((await store.stat(sentinelKey(name), { signal })) !== undefined) return;
  const keys: string[] = [];
  for await (const { key } of store.list(backupFolder(name), { signal })) {
    if (key !== claim) keys.push(key);
  }
  await mapParallel(keys, { width: REMOVALS_AT_ONCE, signal }, (key, both) =>
    store.remove(key, { signal: both }),
  );
  await store.remove(claim, { signal });
}
