import { lstat, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, TsbkError } from '../kernel/errors.ts';

/**
 * Where the commands of one server keep what they know between runs: below `pg_stat_tmp` of its data
 * directory. Base backups and pg_rewind leave the content of that folder out, so nothing in it reaches
 * another server, and it lies on the file system of `pg_wal`, so that a rename into that is possible.
 */
export const STATE_FOLDER = 'pg_stat_tmp/tsbk';

/** The state directory of the server in `dataDir`: the one that settings name, else its own. */
export function stateDirectoryOf(dataDir: string, named: string | undefined): string {
  return named ?? join(dataDir, STATE_FOLDER);
}

/**
 * Makes a folder below the state directory, or checks the one that is there: it must be a directory of this
 * user that nobody else can write to, because answers are given from what lies in it. Returns its
 * path. Throws `state-directory`.
 */
export async function openStateFolder(
  stateDirectory: string,
  folder: string,
  uid: number | undefined = process.getuid?.(),
): Promise<string> {
  const path = join(stateDirectory, folder);
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw unusable(path, messageOf(error));
  }
  for (const each of [stateDirectory, path]) {
    const found = await lstat(each);
    if (!found.isDirectory()) throw unusable(each, 'is not a directory');
    if (uid !== undefined && found.uid !== uid) throw unusable(each, 'belongs to another user');
    if ((found.mode & 0o022) !== 0) throw unusable(each, 'can be written to by others');
  }
  return path;
}

function unusable(path: string, problem: string): TsbkError {
  return new TsbkError('state-directory', `${path} ${problem}`, {
    hint: 'It must be a directory of the user PostgreSQL runs as, mode 0700; TSBK_STATE_DIRECTORY names another one.',
  });
}
