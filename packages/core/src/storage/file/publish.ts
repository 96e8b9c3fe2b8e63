import { link, lstat, open, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemErrorCode, TsbkError } from '../../kernel/errors.ts';
import type { PutOutcome } from '../../ports/blob-store.ts';
import type { DirectorySync } from './durable-directory.ts';
import { fileError, isAbsent } from './errors.ts';
import type { Root } from './paths.ts';

export interface Publication {
  /** A complete, fsynced file in the target's directory. */
  readonly temp: string;
  readonly target: string;
  readonly ifAbsent: boolean;
  readonly root: Root;
  readonly sync: DirectorySync;
  /** Replaces link(2), for tests of file systems without it. */
  readonly link?: typeof link;
}

/**
 * Makes a written file visible under its name, in one step and durably; the temporary name is gone
 * afterwards. Can be repeated after a failure. `exists` means that the target exists *durably*:
 * whoever wrote it may have been killed before its own fsync.
 */
export async function publish(publication: Publication): Promise<PutOutcome> {
  const { temp, target, ifAbsent, root, sync } = publication;
  try {
    if (!ifAbsent) {
      await rename(temp, target);
      await sync(dirname(target), root);
      return 'stored';
    }
    const outcome = await linkOnce(publication);
    if (outcome === 'stored') await syncOrTakeBack(publication);
    else await makeDurable(target, root, sync);
    await unlink(temp).catch(() => undefined);
    return outcome;
  } catch (error) {
    throw fileError(error, `cannot give ${target} its name`);
  }
}

/** Fsyncs an object that somebody else put in place. */
export async function makeDurable(target: string, root: Root, sync: DirectorySync): Promise<void> {
  try {
    await using handle = await open(target, 'r');
    await handle.sync();
  } catch (error) {
    throw fileError(error, `cannot fsync ${target}`);
  }
  await sync(dirname(target), root);
}

async function linkOnce(publication: Publication): Promise<PutOutcome> {
  const { temp, target } = publication;
  try {
    await (publication.link ?? link)(temp, target);
    return 'stored';
  } catch (error) {
    const code = systemErrorCode(error) ?? '';
    // NFS may answer EEXIST to a repeated request of ours that had succeeded.
    if (code === 'EEXIST') return (await isSameFile(temp, target)) ? 'stored' : 'exists';
    if (!LINK_UNSUPPORTED.has(code)) throw error;
    return renameUnderLock(publication);
  }
}

const LINK_UNSUPPORTED: ReadonlySet<string> = new Set([
  'EPERM',
  'ENOSYS',
  'ENOTSUP',
  'EOPNOTSUPP',
  'EMLINK',
]);

async function isSameFile(left: string, right: string): Promise<boolean> {
  try {
    const [a, b] = await Promise.all([lstat(left, BIG), lstat(right, BIG)]);
    return a.ino === b.ino && a.dev === b.dev;
  } catch (error) {
    if (isAbsent(error)) return false;
    throw error;
  }
}

const BIG = { bigint: true } as const;

/**
 * An object that is visible but perhaps not durable would be believed by the next attempt, whose
 * fsync can succeed although this one failed. So it goes again.
 */
async function syncOrTakeBack({ target, root, sync }: Publication): Promise<void> {
  try {
    await sync(dirname(target), root);
  } catch (error) {
    await unlink(target).catch(() => undefined);
    throw error;
  }
}

/**
 * For file systems without hard links (FAT, some FUSE): a lock file keeps others away between the
 * look and the rename. Its name is that of an unfinished upload, so no listing shows it.
 */
async function renameUnderLock(publication: Publication): Promise<PutOutcome> {
  const { temp, target, root } = publication;
  const lock = `${target}.tmp.19700101T000000Z-0000000000000000`;
  try {
    await (await open(lock, 'wx', root.fileMode)).close();
  } catch (error) {
    if (systemErrorCode(error) !== 'EEXIST') throw error;
    throw new TsbkError('store-failed', `${target} is being written by another process`, {
      cause: error,
      retry: true,
      hint: `If none is running, a killed one left ${lock}: remove it.`,
    });
  }
  try {
    if (await exists(target)) return 'exists';
    await rename(temp, target);
    return 'stored';
  } finally {
    await unlink(lock);
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (isAbsent(error)) return false;
    throw error;
  }
}
