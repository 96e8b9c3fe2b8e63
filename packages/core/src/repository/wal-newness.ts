import { isTsbkError } from '../kernel/errors.ts';
import { WAL_FOLDER, walKey } from './layout.ts';
import type { Repository, RunOptions } from './repository.ts';

/** Whether nothing lies at any place of this segment, as far as is known; `false` says nothing. */
export type IsNew = (segment: string) => boolean;

/** One page of an S3 listing. */
const KEYS_MAX = 1000;
const SEGMENT_DIGITS = 24;

/**
 * Lists the archive from `segment` on, so that the places of many segments need not be looked at one
 * by one. A listing may lag, so it spares a look and proves nothing: `storeWal` looks again after it has
 * written. Credentials that may not list are no error.
 */
export async function listNewness(
  repository: Repository,
  segment: string,
  { signal }: RunOptions,
): Promise<IsNew> {
  // One digit less: the segment itself may lie there without an extension, and shall be among them.
  const after = walKey(segment.slice(0, SEGMENT_DIGITS - 1));
  const taken = new Set<string>();
  let last: string | undefined;
  try {
    for await (const { key } of repository.store.list(WAL_FOLDER, {
      signal,
      after,
      shallow: true,
    })) {
      last = key.slice(WAL_FOLDER.length, WAL_FOLDER.length + SEGMENT_DIGITS);
      taken.add(last);
      if (taken.size >= KEYS_MAX) break;
    }
  } catch (error) {
    if (!isTsbkError(error, 'store-denied')) throw error;
    return () => false;
  }
  // Beyond a listing that was left early nothing is known.
  const end = taken.size < KEYS_MAX ? undefined : last;
  return (name) =>
    name.length === SEGMENT_DIGITS &&
    name >= segment &&
    (end === undefined || name < end) &&
    !taken.has(name);
}
