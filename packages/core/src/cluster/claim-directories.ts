import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { systemErrorCode, TsbkError } from '../kernel/errors.ts';
import { syncDirectory } from './late-sync.ts';
import { writeFailed } from './write-failed.ts';

/** Directories that belong to this run from now on. */
export interface ClaimedDirectories {
  /** Flushes their names in the directories above them, and gives up the claim: nothing is removed any more. */
  sync(): Promise<void>;
  /**
   * Removes everything in them, and those that this run made. What was there before (an empty
   * directory) stays. Throws when something cannot be removed.
   */
  clear(): Promise<void>;
}

const CLAIM_FILE = 'tsbk_restore_claim';

interface Claimed {
  readonly path: string;
  readonly isNew: boolean;
}

/**
 * Makes directories (mode 0700) or takes them as they are, if they are empty. The first is the data
 * directory; those inside it are made with their parents. Throws `target-not-empty` for one that
 * filled since it was looked at, and removes what it made until then.
 */
export async function claimDirectories(
  paths: readonly [string, ...string[]],
): Promise<ClaimedDirectories> {
  const claimed: Claimed[] = [];
  try {
    for (const path of paths) {
      const isInside = path.startsWith(`${paths[0]}/`);
      claimed.push(await claim(path, isInside));
    }
  } catch (error) {
    await clear(claimed);
    throw error;
  }
  return {
    sync: async () => {
      for (const { path, isNew } of claimed) {
        if (isNew) await syncDirectory(dirname(path));
        else await rm(join(path, CLAIM_FILE), { force: true });
      }
    },
    clear: () => clear(claimed),
  };
}

async function claim(path: string, recursive: boolean): Promise<Claimed> {
  try {
    if (recursive) await mkdir(dirname(path), { recursive, mode: 0o700 });
    await mkdir(path, { mode: 0o700 });
    return { path, isNew: true };
  } catch (error) {
    if (systemErrorCode(error) !== 'EEXIST') throw writeFailed(path, error);
  }
  const [found] = await readdir(path);
  if (found === undefined) {
    await takeEmpty(path);
    return { path, isNew: false };
  }
  throw new TsbkError('target-not-empty', `${path} is not empty any more (there is ${found})`, {
    hint: 'Something else writes there. Give another directory.',
  });
}

/**
 * An empty directory that was there before is taken by making a file in it that only one of several
 * runs can make: the others must not believe that what they see in it is theirs to remove.
 */
async function takeEmpty(path: string): Promise<void> {
  try {
    await writeFile(join(path, CLAIM_FILE), '', { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if (systemErrorCode(error) !== 'EEXIST') throw writeFailed(path, error);
    throw new TsbkError('target-not-empty', `another restore into ${path} has begun`, {
      hint: 'Give another directory, or wait for it to end.',
    });
  }
}

async function clear(claimed: readonly Claimed[]): Promise<void> {
  for (const { path, isNew } of [...claimed].reverse()) {
    const doomed = isNew ? [path] : (await readdir(path)).map((name) => join(path, name));
    for (const victim of doomed) await rm(victim, { recursive: true, force: true });
  }
}
