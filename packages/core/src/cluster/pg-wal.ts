import { constants, open, readdir, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, systemErrorCode, TsbkError } from '../kernel/errors.ts';
import { parseWalFileName } from '../kernel/wal-file.ts';
import type { ByteSource } from '../ports/bytes.ts';
import type { WalCopies } from '../ports/wal-copies.ts';

const READ_BYTES = 1024 * 1024;
const MARK = /^(.+)\.(?:ready|done)$/;

/**
 * WAL in a `pg_wal` directory, or in that of a data directory. Throws `file-unreadable` if there is
 * none at `path`.
 */
export async function openPgWal(path: string): Promise<WalCopies> {
  const below = join(path, 'pg_wal');
  const folder = (await names(below)) === undefined ? path : below;
  if ((await names(folder)) === undefined) throw unreadable(folder, 'there is no such directory');
  return {
    where: folder,
    list: async () => {
      const marks = (await names(join(folder, 'archive_status'))) ?? [];
      const marked = new Set(marks.flatMap((mark) => MARK.exec(mark)?.[1] ?? []));
      return ((await names(folder)) ?? []).filter(isWal).map((name) => {
        return { name, isMarked: marked.has(name) };
      });
    },
    read: (name, { signal }) => read(join(folder, name), signal),
  };
}

function isWal(name: string): boolean {
  const kind = parseWalFileName(name)?.kind;
  return kind === 'segment' || kind === 'history';
}

async function names(folder: string): Promise<string[] | undefined> {
  try {
    return await readdir(folder);
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw unreadable(folder, messageOf(error), error);
  }
}

async function read(path: string, signal: AbortSignal): Promise<ByteSource | undefined> {
  let handle: FileHandle;
  try {
    handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    throw unreadable(path, messageOf(error), error);
  }
  return chunks(handle, signal);
}

async function* chunks(handle: FileHandle, signal: AbortSignal): ByteSource {
  try {
    for (;;) {
      signal.throwIfAborted();
      const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
      const { bytesRead } = await handle.read(buffer, 0, READ_BYTES);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await handle.close();
  }
}

function unreadable(path: string, why: string, cause?: unknown): TsbkError {
  return new TsbkError('file-unreadable', `cannot read WAL at ${path}: ${why}`, {
    hint: 'Name a data directory or its pg_wal, and run tsbk as the user that PostgreSQL runs as.',
    cause,
  });
}
