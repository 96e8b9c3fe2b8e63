import { lstat, readdir, readFile, realpath, stat, statfs } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { systemErrorCode } from '../kernel/errors.ts';

/** What there is at a path that something shall be restored into. */
export interface InspectedDirectory {
  /** The path with all symbolic links resolved, as far as it exists. */
  readonly path: string;
  readonly state:
    | { readonly kind: 'absent' }
    | { readonly kind: 'empty' }
    | { readonly kind: 'occupied'; readonly by: Occupant }
    /** It exists and is something else; or its parent is missing or no directory. */
    | { readonly kind: 'unusable'; readonly problem: string };
  /** Of the file system it is (or will be) on. */
  readonly fileSystem: FileSystem | undefined;
}

/** What makes a directory not empty, as far as it matters for what to say. */
export interface Occupant {
  readonly example: string;
  /** From `postmaster.pid`: a server that runs here, or crashed. */
  readonly postmaster: string | undefined;
  /** Nothing but `lost+found`: the root of a file system. */
  readonly isMountPoint: boolean;
  readonly names: ReadonlySet<string>;
}

export interface FileSystem {
  /** Tells file systems apart. */
  readonly device: number;
  /** What an ordinary user may still write. */
  readonly freeBytes: number;
}

/** Looks at a path (absolute), and changes nothing. */
export async function inspectDirectory(path: string): Promise<InspectedDirectory> {
  try {
    const resolved = await realpath(path);
    const fileSystem = await fileSystemOf(resolved);
    if (!(await stat(resolved)).isDirectory()) {
      return { path: resolved, state: unusable('is not a directory'), fileSystem };
    }
    return { path: resolved, state: await contentState(resolved), fileSystem };
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT')
      return { path, state: refused(error), fileSystem: undefined };
  }
  if (await exists(path)) {
    return { path, state: unusable('is a link that leads nowhere'), fileSystem: undefined };
  }
  return await inspectAbsent(path);
}

async function inspectAbsent(path: string): Promise<InspectedDirectory> {
  const parent = dirname(path);
  try {
    const resolved = await realpath(parent);
    const full = join(resolved, basename(path));
    const fileSystem = await fileSystemOf(resolved);
    if (!(await stat(resolved)).isDirectory()) {
      return {
        path: full,
        state: unusable(`cannot be made: ${parent} is not a directory`),
        fileSystem,
      };
    }
    return { path: full, state: { kind: 'absent' }, fileSystem };
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT')
      return { path, state: refused(error), fileSystem: undefined };
    const state = unusable(`cannot be made: there is no ${parent}`);
    return { path, state, fileSystem: undefined };
  }
}

async function contentState(path: string): Promise<InspectedDirectory['state']> {
  const names = new Set(await readdir(path));
  const [example] = names;
  if (example === undefined) return { kind: 'empty' };
  const isMountPoint = names.size === 1 && names.has('lost+found');
  const postmaster = names.has('postmaster.pid') ? await postmasterOf(path) : undefined;
  return { kind: 'occupied', by: { example, postmaster, isMountPoint, names } };
}

async function postmasterOf(path: string): Promise<string> {
  const text = await readFile(join(path, 'postmaster.pid'), 'utf8').catch(() => '');
  return text.split('\n')[0] ?? '';
}

async function fileSystemOf(path: string): Promise<FileSystem> {
  const [{ dev }, { bavail, bsize }] = await Promise.all([stat(path), statfs(path)]);
  return { device: dev, freeBytes: bavail * bsize };
}

async function exists(path: string): Promise<boolean> {
  return await lstat(path).then(
    () => true,
    () => false,
  );
}

function refused(error: unknown): InspectedDirectory['state'] {
  return unusable(`cannot be looked at (${systemErrorCode(error) ?? 'unknown error'})`);
}

function unusable(problem: string): InspectedDirectory['state'] {
  return { kind: 'unusable', problem };
}
