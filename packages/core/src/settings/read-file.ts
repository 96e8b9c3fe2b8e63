import { constants, open, type FileHandle } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { messageOf, systemErrorCode, TsbkError } from '../kernel/errors.ts';
import type { SettingsFile } from './given.ts';
import { parseSettingsText } from './parse-file.ts';

export interface FileRequest {
  /** Value of `--config`, if given. */
  readonly flag?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Home directory of the user who runs this; `undefined` looks for no file there. */
  readonly home: string | undefined;
  /** User who runs this; `undefined` where the system knows no users. */
  readonly uid: number | undefined;
}

const HOME_FILES = ['.tsbk.json', '.tsbk.yaml', '.walg.json', '.walg.yaml', '.walg.yml'];
const MAX_BYTES = 1024 ** 2;

/**
 * Reads the settings file: `--config`, else `TSBK_CONFIG`, else `WALG_CONFIG_PATH`, else the first
 * that exists in the home directory. Nothing is ever looked for in the current directory, which is
 * the data directory when PostgreSQL starts us. A file that others may write is refused: whoever
 * can write it decides where backups go and with which key. Throws `usage`.
 */
export async function readSettingsFile(request: FileRequest): Promise<SettingsFile | undefined> {
  const named = namedFile(request);
  if (named !== undefined) {
    const file = await readOne(named.path, request.uid);
    if (file !== undefined) return file;
    throw new TsbkError('usage', `${named.by} names ${named.path}, which does not exist`);
  }
  if (request.home === undefined || !isAbsolute(request.home)) return undefined;
  for (const name of HOME_FILES) {
    const file = await readOne(join(request.home, name), request.uid);
    if (file !== undefined) return file;
  }
  return undefined;
}

function namedFile({ flag, env }: FileRequest): { path: string; by: string } | undefined {
  const chosen = [
    ['--config', flag],
    ['TSBK_CONFIG', env['TSBK_CONFIG']],
    ['WALG_CONFIG_PATH', env['WALG_CONFIG_PATH']],
  ].find(([, path]) => path !== undefined && path !== '');
  if (chosen === undefined) return undefined;
  const [by = '', path = ''] = chosen;
  if (isAbsolute(path)) return { path, by };
  throw new TsbkError('usage', `${by} must be an absolute path, not ${JSON.stringify(path)}`, {
    hint: 'PostgreSQL starts its commands in the data directory, where a relative path would lead.',
  });
}

/** `undefined` if there is no such file. */
async function readOne(path: string, uid: number | undefined): Promise<SettingsFile | undefined> {
  const handle = await openIfThere(path);
  if (handle === undefined) return undefined;
  try {
    const { mode, size } = await requireTrusted(handle, path, uid);
    if (size > MAX_BYTES) throw new TsbkError('usage', `${path} is larger than ${MAX_BYTES} bytes`);
    const values = await parseSettingsText(await handle.readFile('utf8'), path);
    return { path, values, readableByOthers: (mode & 0o044) !== 0 };
  } finally {
    await handle.close();
  }
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    // Without O_NONBLOCK a FIFO of this name would hang us for ever.
    return await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemErrorCode(error) ?? '')) return undefined;
    throw new TsbkError('usage', `cannot read ${path}: ${messageOf(error)}`, {
      hint: 'Make it readable for the user that runs tsbk, or name another file with TSBK_CONFIG.',
      cause: error,
    });
  }
}

/** Looks at the open file, not at its name, which could have been exchanged in between. */
async function requireTrusted(
  handle: FileHandle,
  path: string,
  uid: number | undefined,
): Promise<{ readonly mode: number; readonly size: number }> {
  const stat = await handle.stat();
  const { mode, size, uid: owner } = stat;
  if (!stat.isFile()) throw new TsbkError('usage', `${path} is no regular file`);
  if ((mode & 0o022) !== 0) {
    throw new TsbkError('usage', `${path} can be written by others than its owner`, {
      hint: `Whoever writes it decides where backups go. Run: chmod go-w ${path}`,
    });
  }
  // The superuser may use anybody's file; everybody else trusts himself and the superuser.
  if (uid !== undefined && uid !== 0 && owner !== 0 && owner !== uid) {
    throw new TsbkError('usage', `${path} belongs to another user (uid ${owner})`, {
      hint: `Whoever owns it decides where backups go. Run: chown ${uid} ${path}`,
    });
  }
  return { mode, size };
}
