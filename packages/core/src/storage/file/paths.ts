import { lstat, realpath, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { TsbkError } from '../../kernel/errors.ts';
import { checkObjectKey } from '../../kernel/object-key.ts';
import { fileError, isAbsent } from './errors.ts';
import { isTempName } from './temp-name.ts';

/** The repository directory as it is at this moment. */
export interface Root {
  /** Absolute, without symbolic links. */
  readonly path: string;
  /** Modes of what is created in it, before the umask. */
  readonly directoryMode: number;
  readonly fileMode: number;
}

/**
 * Follows the configured path to the directory. It is looked at again for each operation, because
 * a file system can be unmounted under a running process. Throws `store-missing`.
 */
export async function resolveRoot(configured: string): Promise<Root> {
  try {
    const path = await realpath(configured);
    const found = await stat(path);
    if (!found.isDirectory()) {
      throw new TsbkError('store-missing', `${configured} is not a directory`);
    }
    const forGroup = (found.mode & 0o040) !== 0;
    return {
      path,
      directoryMode: forGroup ? 0o750 : 0o700,
      fileMode: forGroup ? 0o640 : 0o600,
    };
  } catch (error) {
    if (!isAbsent(error)) throw fileError(error, `cannot open the repository ${configured}`);
    throw new TsbkError('store-missing', `the repository directory ${configured} does not exist`, {
      cause: error,
      hint: `Create it (mkdir -m 0700 ${configured}), mount its file system, or correct the prefix.`,
    });
  }
}

/** Path of an object. Throws `unsafe-name` for what cannot be one. */
export function objectPath(root: Root, key: string): string {
  checkObjectKey(key);
  if (isTempName(key)) {
    throw new TsbkError('unsafe-name', `${key} is the name of an unfinished upload`);
  }
  return join(root.path, key);
}

/**
 * Whether the directory exists. Throws `store-failed` if a symbolic link lies between the root
 * and it: only the root itself may be one.
 */
export async function directoryExists(directory: string): Promise<boolean> {
  try {
    if ((await realpath(directory)) === directory) return true;
  } catch (error) {
    if (isAbsent(error)) return false;
    throw fileError(error, `cannot open ${directory}`);
  }
  throw linkRefused(directory);
}

/** Throws `store-failed` unless `directory` is one and no symbolic link. */
export async function checkDirectory(directory: string): Promise<void> {
  const found = await lstat(directory);
  if (found.isDirectory()) return;
  if (found.isSymbolicLink()) throw linkRefused(directory);
  throw new TsbkError('store-failed', `${directory} is a file where a folder is needed`);
}

/** The error for a symbolic link inside the repository. */
export function linkRefused(path: string): TsbkError {
  return new TsbkError('store-failed', `${path} is, or is below, a symbolic link`, {
    hint: 'Only the repository directory itself may be a symbolic link; mount or copy the rest.',
  });
}

/** The folders from `directory` up to the root, the root not among them. */
export function foldersUpTo(root: Root, directory: string): string[] {
  const folders: string[] = [];
  for (let at = directory; at !== root.path; at = dirname(at)) folders.push(at);
  return folders;
}
