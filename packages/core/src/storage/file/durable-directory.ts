import { mkdir, open, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemErrorCode } from '../../kernel/errors.ts';
import { fileError } from './errors.ts';
import { checkDirectory, foldersUpTo, type Root } from './paths.ts';

/** Makes the entries of a directory, and its own entry in its parents, survive a power cut. */
export type DirectorySync = (directory: string, root: Root) => Promise<void>;

/** More folders than one repository has; only a bound for a daemon that runs for years. */
const REMEMBERED_MAX = 4096;

/**
 * A `DirectorySync` with a memory: the parents of a directory are synchronised once. Whoever made
 * the directory may have been killed before it did so, hence not only for directories made here.
 */
export function createDirectorySync(): DirectorySync {
  const durable = new Set<string>();
  return async function sync(directory, root) {
    const identity = await fsyncDirectory(directory);
    if (directory === root.path || durable.has(identity)) return;
    await sync(dirname(directory), root);
    if (durable.size >= REMEMBERED_MAX) durable.clear();
    durable.add(identity);
  };
}

/** Creates a folder below the root and those on the way to it, where they are missing. */
export async function makeDirectory(directory: string, root: Root): Promise<void> {
  for (const folder of foldersUpTo(root, directory).toReversed()) {
    try {
      await mkdir(folder, { mode: root.directoryMode });
    } catch (error) {
      if (systemErrorCode(error) !== 'EEXIST') throw fileError(error, `cannot create ${folder}`);
      await checkDirectory(folder);
    }
  }
}

/** Returns what tells this directory from a later one of the same name and inode number. */
async function fsyncDirectory(directory: string): Promise<string> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(directory, 'r');
    const found = await handle.stat({ bigint: true });
    await handle.sync().catch(unlessUnsupported);
    return `${directory} ${found.dev} ${found.ino} ${found.birthtimeNs}`;
  } catch (error) {
    throw fileError(error, `cannot fsync ${directory}`);
  } finally {
    await handle?.close();
  }
}

/** Some network and FUSE file systems cannot fsync a directory and need none (PostgreSQL does so). */
function unlessUnsupported(error: unknown): void {
  const code = systemErrorCode(error) ?? '';
  if (!['EINVAL', 'EBADF', 'ENOTSUP', 'EOPNOTSUPP'].includes(code)) throw error;
}
