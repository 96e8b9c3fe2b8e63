import { rmdir, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemErrorCode } from '../../kernel/errors.ts';
import type { DirectorySync } from './durable-directory.ts';
import { fileError, isAbsent } from './errors.ts';
import { directoryExists, foldersUpTo, objectPath, type Root } from './paths.ts';

/**
 * Removes an object durably, then the folders that it leaves empty. Durably, because a backup's
 * record must be gone for good before the objects that it names go.
 */
export async function removeFile(root: Root, key: string, sync: DirectorySync): Promise<void> {
  const path = objectPath(root, key);
  if (!(await directoryExists(dirname(path)))) return;
  try {
    await unlink(path);
  } catch (error) {
    // EISDIR: a folder of that name exists, an object does not.
    if (isAbsent(error) || systemErrorCode(error) === 'EISDIR') return;
    throw fileError(error, `cannot remove ${path}`);
  }
  await syncNearest(root, dirname(path), sync);
  await removeEmptyFolders(root, dirname(path));
}

/**
 * A removal beside this one may have emptied the folder and removed it: then it is its parent that
 * must not bring it back.
 */
async function syncNearest(root: Root, directory: string, sync: DirectorySync): Promise<void> {
  for (const folder of foldersUpTo(root, directory)) {
    try {
      await sync(folder, root);
      return;
    } catch (error) {
      if (!(error instanceof Error) || !isAbsent(error.cause)) throw error;
    }
  }
  await sync(root.path, root);
}

/** This folder and those around it, up to the first that has something in it. */
export async function removeEmptyFolders(root: Root, directory: string): Promise<void> {
  for (const folder of foldersUpTo(root, directory)) {
    try {
      await rmdir(folder);
    } catch {
      // Not empty, or somebody is using it: then it stays.
      return;
    }
  }
}
