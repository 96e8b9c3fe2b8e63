import { WAL_FOLDER, walKey } from './layout.ts';
import type { Repository, RunOptions } from './repository.ts';
import { walFileOf } from './wal-way/wal-listing.ts';

/** Objects that belong to the segment itself come first (`.partial`, `.backup`, digests); they are few. */
const KEYS_MAX = 1000;
const TIMELINE_DIGITS = 8;

/**
 * Name of the next WAL file behind a segment that the archive has of the same timeline: a segment, or
 * the `.partial` with which a timeline ended. One page of a listing; it may lag behind, so that
 * `undefined` is no proof.
 */
export async function nextArchived(
  { store, walExtensions }: Repository,
  segment: string,
  { signal }: RunOptions,
): Promise<string | undefined> {
  const extensions = new Set(walExtensions);
  const timeline = segment.slice(0, TIMELINE_DIGITS);
  let left = KEYS_MAX;
  const behind = store.list(WAL_FOLDER, { signal, after: walKey(segment), shallow: true });
  for await (const { key } of behind) {
    const object = key.slice(WAL_FOLDER.length);
    left -= 1;
    if (left === 0 || !object.startsWith(timeline)) return undefined;
    const file = walFileOf(object, extensions);
    if (file?.kind === 'segment' && file.name > segment) return file.name;
    if (file?.kind === 'partial' && file.segment > segment) return file.name;
  }
  return undefined;
}
