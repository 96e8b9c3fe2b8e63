import { TsbkError } from '../kernel/errors.ts';
import { instantToMs, type Instant } from '../kernel/instant.ts';
import { readClaim, type Claim, type ProcessMark } from '../repository/claim-record.ts';
import { backupFolder, BACKUPS_FOLDER, claimKey, sentinelKey } from '../repository/layout.ts';
import type { Repository, RunOptions } from '../repository/repository.ts';
import { mapParallel } from '../stream/parallel.ts';

/** A backup without a sentinel: one under way, or what a killed run left. */
export interface UnfinishedBackup {
  readonly name: string;
  readonly claim: Claim | undefined;
  /** `gone` and `alive` are certain. */
  readonly holder: 'gone' | 'alive' | 'unknown';
  readonly objects: number;
  readonly bytes: number;
  /** When its newest object was written. */
  readonly lastWrite: Instant | undefined;
}

export interface ClaimOptions extends RunOptions {
  readonly stateOf: (process: ProcessMark | undefined) => UnfinishedBackup['holder'];
}

/** All backups without a sentinel, in order of their names. */
export async function unfinishedBackups(
  repository: Repository,
  { signal, stateOf }: ClaimOptions,
): Promise<UnfinishedBackup[]> {
  const { store } = repository;
  const found: UnfinishedBackup[] = [];
  for await (const name of store.folders(BACKUPS_FOLDER, { signal })) {
    if ((await store.stat(sentinelKey(name), { signal })) !== undefined) continue;
    const claim = await readClaim(repository, name, { signal });
    let objects = 0;
    let bytes = 0;
    let lastWrite: Instant | undefined;
    for await (const info of store.list(backupFolder(name), { signal })) {
      objects += 1;
      bytes += info.bytes;
      if (lastWrite === undefined || info.modified > lastWrite) lastWrite = info.modified;
    }
    // It was finished or taken back meanwhile.
    if (objects === 0) continue;
    found.push({ name, claim, holder: stateOf(claim?.process), objects, bytes, lastWrite });
  }
  return found;
}

/**
 * Whether nobody makes this backup any more: its process is proven gone, or it is not proven alive
 * and nothing was written for so long that whoever asks vouches for it.
 */
export function isAbandoned(
  { holder, lastWrite }: UnfinishedBackup,
  { nowMs, olderThanMs }: { readonly nowMs: number; readonly olderThanMs: number | undefined },
): boolean {
  if (holder !== 'unknown') return holder === 'gone';
  if (olderThanMs === undefined || lastWrite === undefined) return false;
  return nowMs - instantToMs(lastWrite) >= olderThanMs;
}

const REMOVALS_AT_ONCE = 16;

/**
 * Removes an abandoned backup: its objects, its unfinished uploads, and the claim last, so that
 * nobody gets the name while something still lies under it. Throws `object-guarded` if it was
 * finished or claimed by another run meanwhile.
 */
export async function removeAbandoned(
  repository: Repository,
  { name, claim }: UnfinishedBackup,
  { signal }: RunOptions,
): Promise<void> {
  const { store } = repository;
  const now = await readClaim(repository, name, { signal });
  const finished = await store.stat(sentinelKey(name), { signal });
  if (finished !== undefined || now?.run !== claim?.run) {
    throw new TsbkError('object-guarded', `${name} has changed meanwhile; nothing was removed`, {
      hint: 'Look again: `tsbk st claims`.',
    });
  }
  // The sentinel lies beside the folder, and a run can be killed while it writes that.
  const isOwn = (key: string): boolean =>
    key === sentinelKey(name) || key.startsWith(backupFolder(name));
  for await (const upload of store.unfinished(BACKUPS_FOLDER, { signal })) {
    if (isOwn(upload.key)) await upload.discard({ signal });
  }
  const keys: string[] = [];
  for await (const { key } of store.list(backupFolder(name), { signal })) {
    if (key !== claimKey(name)) keys.push(key);
  }
  await mapParallel(keys, { width: REMOVALS_AT_ONCE, signal }, (key, both) =>
    store.remove(key, { signal: both }),
  );
  await store.remove(claimKey(name), { signal });
}
