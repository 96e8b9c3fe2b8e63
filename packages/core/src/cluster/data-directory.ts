import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readSync,
  statSync,
  type BigIntStats,
} from 'node:fs';
import { messageOf, systemErrorCode, TsbkError } from '../kernel/errors.ts';
import { toInstant, type Instant } from '../kernel/instant.ts';
import type { TreePath } from '../kernel/tree-path.ts';
import { pathBytes, printable } from '../format/tree-path.ts';

/** What the file system says of a file or directory. */
export interface EntryFacts {
  /** Permission bits. */
  readonly mode: number;
  readonly modified: Instant;
  readonly uid: number;
  readonly gid: number;
}

/** A regular file, open for reading. */
export interface DataFile extends Disposable {
  readonly facts: EntryFacts;
  /** Its length when it was opened. */
  readonly bytes: number;
  /** Fills `target` from a position on, short only where the file ends now. Gives the bytes read. */
  read(target: Uint8Array, position: number): number;
  /** The time of its last change as it is now. */
  modifiedNow(): Instant;
}

/**
 * A data directory that a server is at work in: everything may vanish, grow and shrink at any
 * moment. The calls are synchronous, because a thread that has nothing else to do reads a page
 * cache fastest that way. What is there and cannot be read throws `file-unreadable`.
 */
export interface DataDirectory {
  /** `undefined` if it is gone, or is no regular file any more. */
  open(path: TreePath): DataFile | undefined;
  /** Of a directory or what a link to one leads to; `undefined` if it is gone. */
  directory(path: TreePath): EntryFacts | undefined;
}

/** What means that a name is not there: it, or a directory on the way to it, was removed. */
const GONE = new Set(['ENOENT', 'ENOTDIR', 'ESTALE']);
/** Without waiting for a writer, should somebody have put a pipe there, and not through a link. */
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** The data directory at `root`, absolute. */
export function dataDirectory(root: string): DataDirectory {
  return {
    open: (path) => ifThere(path, () => openFile(root, path)),
    directory: (path) =>
      ifThere(path, () => {
        const stats = statSync(pathBytes(root, path), { bigint: true });
        return stats.isDirectory() ? factsOf(stats) : undefined;
      }),
  };
}

function openFile(root: string, path: TreePath): DataFile | undefined {
  const fd = openSync(pathBytes(root, path), FLAGS);
  try {
    const stats = fstatSync(fd, { bigint: true });
    if (!stats.isFile()) {
      closeSync(fd);
      return undefined;
    }
    return {
      facts: factsOf(stats),
      bytes: Number(stats.size),
      read: (target, position) => readFully(fd, path, { target, position }),
      modifiedNow: () => factsOf(fstatSync(fd, { bigint: true })).modified,
      [Symbol.dispose]: () => closeSync(fd),
    };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function readFully(
  fd: number,
  path: TreePath,
  { target, position }: { readonly target: Uint8Array; readonly position: number },
): number {
  let filled = 0;
  try {
    while (filled < target.length) {
      const got = readSync(fd, target, filled, target.length - filled, position + filled);
      if (got === 0) break;
      filled += got;
    }
    return filled;
  } catch (error) {
    throw unreadable(path, error);
  }
}

/** `undefined` for what is gone. `ELOOP` is a link where the name led to a file before. */
export function ifThere<T>(path: TreePath, look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    const code = systemErrorCode(error) ?? '';
    if (GONE.has(code) || code === 'ELOOP' || code === 'ENXIO') return undefined;
    throw unreadable(path, error);
  }
}

function factsOf(stats: BigIntStats): EntryFacts {
  return {
    mode: Number(stats.mode) & 0o7777,
    modified: toInstant(stats.mtimeNs),
    uid: Number(stats.uid),
    gid: Number(stats.gid),
  };
}

function unreadable(path: TreePath, error: unknown): TsbkError {
  const what = path === '' ? 'the data directory' : printable(path);
  return new TsbkError('file-unreadable', `${what} cannot be read: ${messageOf(error)}`, {
    cause: error,
    hint: 'Run tsbk as the user that PostgreSQL runs as. A file that nobody can read does not belong into a data directory.',
  });
}
