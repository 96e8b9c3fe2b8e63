import { realpath } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { TsbkError } from '@tsbk/core/kernel/errors';

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,200}$/;

/**
 * The absolute path of a file in `pg_wal`, by what a client gave: `%f`, `%p`, or the whole path. A
 * name that leads anywhere else throws `bad-wal-name`: whoever may speak to the daemon may archive WAL,
 * and nothing beyond that.
 */
export async function walPath(dataDir: string, given: string): Promise<string> {
  const name = basename(given);
  const walDir = join(dataDir, 'pg_wal');
  if (NAME.test(name) && (await leadsTo(walDir, directoryOf(given, { dataDir, walDir })))) {
    return join(walDir, name);
  }
  throw new TsbkError('bad-wal-name', `${JSON.stringify(given)} is no file in ${walDir}`, {
    hint: 'Give %p or %f of archive_command or restore_command.',
  });
}

function directoryOf(
  given: string,
  { dataDir, walDir }: { readonly dataDir: string; readonly walDir: string },
): string {
  if (isAbsolute(given)) return dirname(given);
  return given.includes('/') ? join(dataDir, dirname(given)) : walDir;
}

/** By what both really are: `pg_wal` is often a link to another file system. */
async function leadsTo(walDir: string, directory: string): Promise<boolean> {
  if (directory.includes('\0')) return false;
  try {
    return (await realpath(directory)) === (await realpath(walDir));
  } catch {
    return false;
  }
}
