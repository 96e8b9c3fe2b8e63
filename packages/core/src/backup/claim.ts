import { formatInstant } from '../kernel/instant.ts';
import { stringifyJson } from '../format/json.ts';
import { backupFolder, claimKey, sentinelKey } from '../repository/layout.ts';
import type { Repository, RunOptions } from '../repository/repository.ts';

/**
 * Claims a backup name for this run. `false` if a backup of that name exists, another run holds it,
 * or one that was killed left objects under it: parts of two runs must never lie in one folder,
 * because a restore takes what it finds there.
 */
export async function claimName(
  repository: Repository,
  backup: string,
  run: { readonly id: string; readonly host: string },
  { signal }: RunOptions,
): Promise<boolean> {
  const { store, clock } = repository;
  if ((await store.stat(sentinelKey(backup), { signal })) !== undefined) return false;
  for await (const _ of store.list(backupFolder(backup), { signal })) return false;
  const claim = stringifyJson({
    run: run.id,
    host: run.host,
    started: formatInstant(clock.now()),
  });
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

/**
 * Removes everything that a failed run stored, the claim last. The sentinel goes first should the
 * run have failed after writing it without knowing.
 */
export async function removeUnfinished(
  repository: Repository,
  backup: string,
  { signal }: RunOptions,
): Promise<void> {
  const { store } = repository;
  const claim = claimKey(backup);
  await store.remove(sentinelKey(backup), { signal });
  const keys: string[] = [];
  for await (const { key } of store.list(backupFolder(backup), { signal })) keys.push(key);
  for (const key of keys) if (key !== claim) await store.remove(key, { signal });
  await store.remove(claim, { signal });
}
