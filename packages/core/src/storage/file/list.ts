import type { Dirent } from 'node:fs';
import { lstat, opendir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { systemErrorCode } from '../../kernel/errors.ts';
import { checkKeyPrefix, compareKeys, isObjectKey } from '../../kernel/object-key.ts';
import type { BlobInfo, CallOptions, ListOptions } from '../../ports/blob-store.ts';
import { fileError, isAbsent } from './errors.ts';
import { directoryExists, resolveRoot, type Root } from './paths.ts';
import { infoOf } from './read.ts';
import { isTempName } from './temp-name.ts';

/** Files whose attributes are asked for at the same time. */
const STAT_AHEAD = 32;

/**
 * Objects below a prefix, sorted. Keeps the names of one directory in memory (about 50 bytes an
 * entry), and of those on the way to it, because directories are not sorted on disk.
 */
export async function* listFiles(
  configuredRoot: string,
  prefix: string,
  options: ListOptions,
): AsyncGenerator<BlobInfo> {
  checkKeyPrefix(prefix);
  const root = await resolveRoot(configuredRoot);
  if (!(await directoryExists(resolve(root.path, prefix)))) return;
  yield* walk(root, prefix, options);
}

/** Folders directly below a prefix that hold an object, at any depth. */
export async function* listFolders(
  configuredRoot: string,
  prefix: string,
  options: CallOptions,
): AsyncGenerator<string> {
  checkKeyPrefix(prefix);
  const root = await resolveRoot(configuredRoot);
  if (!(await directoryExists(resolve(root.path, prefix)))) return;
  for (const entry of await entriesOf(root, prefix, options.signal)) {
    if (!entry.endsWith('/')) continue;
    for await (const _ of walk(root, `${prefix}${entry}`, options)) {
      yield entry.slice(0, -1);
      break;
    }
  }
}

async function* walk(root: Root, prefix: string, options: ListOptions): AsyncGenerator<BlobInfo> {
  let files: string[] = [];
  for (const entry of await entriesOf(root, prefix, options.signal)) {
    const key = `${prefix}${entry}`;
    if (isBefore(key, options.after)) continue;
    if (!entry.endsWith('/')) files.push(key);
    if (files.length < STAT_AHEAD && !entry.endsWith('/')) continue;
    yield* infosOf(root, files, options.signal);
    files = [];
    if (entry.endsWith('/') && options.shallow !== true) yield* walk(root, key, options);
  }
  yield* infosOf(root, files, options.signal);
}

/** Whether neither the file nor anything in the folder (key ending in `/`) comes after `after`. */
function isBefore(key: string, after: string | undefined): boolean {
  if (after === undefined) return false;
  if (key.endsWith('/') && after.startsWith(key)) return false;
  return compareKeys(key, after) <= 0;
}

/**
 * Names in a directory in the order of the keys below them: a folder counts as `name/`, so that
 * `a.b` comes before what is in `a`. Unfinished uploads and names that are no keys are left out.
 */
async function entriesOf(root: Root, prefix: string, signal: AbortSignal): Promise<string[]> {
  signal.throwIfAborted();
  const entries: string[] = [];
  try {
    for await (const entry of await opendir(join(root.path, prefix), { bufferSize: 512 })) {
      signal.throwIfAborted();
      const name = entryName(entry);
      if (name !== undefined) entries.push(name);
    }
  } catch (error) {
    signal.throwIfAborted();
    if (isAbsent(error)) return [];
    throw fileError(error, `cannot list ${join(root.path, prefix)}`);
  }
  return entries.toSorted(compareKeys);
}

function entryName(entry: Dirent): string | undefined {
  if (!isObjectKey(entry.name)) return undefined;
  if (entry.isDirectory()) return `${entry.name}/`;
  return entry.isFile() && !isTempName(entry.name) ? entry.name : undefined;
}

async function* infosOf(
  root: Root,
  keys: readonly string[],
  signal: AbortSignal,
): AsyncGenerator<BlobInfo> {
  signal.throwIfAborted();
  for (const info of await Promise.all(keys.map((key) => infoIfThere(root, key)))) {
    signal.throwIfAborted();
    if (info !== undefined) yield info;
  }
}

/** Between listing and looking, a file may have been removed. */
async function infoIfThere(root: Root, key: string): Promise<BlobInfo | undefined> {
  const path = join(root.path, key);
  try {
    return infoOf(key, path, await lstat(path, { bigint: true }));
  } catch (error) {
    if (isAbsent(error) || systemErrorCode(error) === 'ELOOP') return undefined;
    throw fileError(error, `cannot read ${path}`);
  }
}
