import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, TsbkError } from '../kernel/errors.ts';

/** Directories of one run, which go with it. */
export interface ScratchDirectory extends AsyncDisposable {
  /** Where the cluster is put together. */
  readonly root: string;
  /** Of the server's socket, whose path may have 107 bytes only. */
  readonly sockets: string;
}

/**
 * Makes them, open to this user alone, in `parent` and `socketParent`. Disposing removes them with
 * everything in them. Throws `scratch-failed`.
 */
export async function makeScratchDirectory(
  parent: string,
  socketParent: string,
): Promise<ScratchDirectory> {
  const made: string[] = [];
  const remove = async (): Promise<void> => {
    // A process that fetched WAL ahead may write there until it notices that the server is gone.
    const patiently = { recursive: true, force: true, maxRetries: 20, retryDelay: 200 };
    for (const path of made) await rm(path, patiently);
  };
  try {
    for (const folder of [parent, socketParent]) {
      made.push(await mkdtemp(join(folder, 'tsbk-extract-')));
    }
    const [root = '', sockets = ''] = made;
    for (const path of made) await chmod(path, 0o700);
    return { root, sockets, [Symbol.asyncDispose]: remove };
  } catch (error) {
    await remove();
    throw new TsbkError(
      'scratch-failed',
      `no directory can be made in ${parent}: ${messageOf(error)}`,
      {
        cause: error,
        hint: 'TSBK_SCRATCH_DIRECTORY names another place.',
      },
    );
  }
}
