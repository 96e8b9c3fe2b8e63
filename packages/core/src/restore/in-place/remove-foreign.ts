import { rm, rmdir } from 'node:fs/promises';
import { systemErrorCode } from '../../kernel/errors.ts';
import type { TreePlace } from '../../ports/extract.ts';
import { syncDirectory } from '../../cluster/late-sync.ts';
import { requiredDirectories } from '../../cluster/required-directories.ts';
import { printable } from '../../format/tree-path.ts';
import { walkTree, type WalkedEntry } from '../../cluster/walk-tree.ts';
import { writeFailed } from '../../cluster/write-failed.ts';
import type { FileFates } from './file-fates.ts';

interface RemoveInputs {
  readonly place: TreePlace;
  readonly major: number;
  readonly fates: FileFates;
}

/**
 * Removes what a backup does not have, and what of it is made anew. Links are removed, never
 * followed; directories go when they are empty. What stays is flushed, names too: a server that
 * crashed may have made files that are in memory only. Throws `restore-failed`.
 */
export async function removeForeign(
  { place, major, fates }: RemoveInputs,
  { signal }: { readonly signal: AbortSignal },
): Promise<void> {
  const required = new Set(requiredDirectories(major * 10_000));
  for await (const entry of walkTree(place, major)) {
    signal.throwIfAborted();
    await attempt(place, entry, async () => {
      if (entry.kind === 'directory') return;
      if (entry.kind !== 'left') {
        // What fetched WAL ahead for a server that crashed may be at work, and tidy up itself.
        if (fates.of(entry) === 'goes') await rm(entry.at, { force: true });
        return;
      }
      const mayGo = fates.of(entry) === 'goes' && !required.has(printable(entry.path));
      if (mayGo && (await isRemoved(entry))) return;
      if (place.fsync) await syncDirectory(entry.at);
    });
  }
}

async function isRemoved({ at }: WalkedEntry): Promise<boolean> {
  try {
    await rmdir(at);
    return true;
  } catch (error) {
    if (systemErrorCode(error) === 'ENOTEMPTY' || systemErrorCode(error) === 'EEXIST') return false;
    throw error;
  }
}

async function attempt(
  { root }: TreePlace,
  { path }: WalkedEntry,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    throw writeFailed(`${root}/${printable(path)}`, error);
  }
}
