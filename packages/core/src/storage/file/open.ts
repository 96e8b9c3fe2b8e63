import { dirname } from 'node:path';
import type {
  BlobStore,
  CallOptions,
  PutOptions,
  PutOutcome,
  Upload,
} from '../../ports/blob-store.ts';
import type { Clock } from '../../ports/clock.ts';
import { createDirectorySync, type DirectorySync } from './durable-directory.ts';
import { listFiles, listFolders } from './list.ts';
import { directoryExists, objectPath, resolveRoot } from './paths.ts';
import { makeDurable } from './publish.ts';
import { getFile, statFile } from './read.ts';
import { removeFile } from './remove.ts';
import { sharedLook } from './shared-look.ts';
import { listUnfinished } from './unfinished.ts';
import { beginUpload } from './upload.ts';

export interface FileStoreOptions {
  /** The repository directory. It must exist; folders below it are made as needed. */
  readonly root: string;
}

const LIMITS = {
  partBytesMin: 1,
  partBytesMax: Number.MAX_SAFE_INTEGER,
  partsMax: Number.MAX_SAFE_INTEGER,
} as const;

/**
 * A directory as a store. Writes go to a temporary file beside the target, are read back, fsynced
 * and then given their name by link(2), which never replaces, or rename(2); then the directory is
 * fsynced. Keys of which one is a folder of the other (`a` and `a/b`) cannot both exist.
 */
export function openFileStore(
  options: FileStoreOptions,
  { clock }: { readonly clock: Clock },
): BlobStore {
  const sync = createDirectorySync();
  const rootNow = sharedLook(resolveRoot);
  const exists = sharedLook(directoryExists);
  return {
    url: options.root,
    limits: LIMITS,
    stat: async (key, { signal }) => {
      signal.throwIfAborted();
      return statFile(await rootNow(options.root), key, { exists });
    },
    confirm: (key, callOptions) => existsDurably({ ...options, clock, sync }, key, callOptions),
    get: async (key, getOptions) => {
      getOptions.signal.throwIfAborted();
      return getFile(await resolveRoot(options.root), key, getOptions);
    },
    put: (key, bytes, putOptions) => put({ ...options, clock, sync }, { key, bytes }, putOptions),
    upload: (key, putOptions) => upload({ ...options, clock, sync }, key, putOptions),
    list: (prefix, listOptions) => listFiles(options.root, prefix, listOptions),
    folders: (prefix, callOptions) => listFolders(options.root, prefix, callOptions),
    remove: async (key, { signal }) => {
      signal.throwIfAborted();
      await removeFile(await resolveRoot(options.root), key, sync);
    },
    unfinished: (prefix, callOptions) => listUnfinished(options.root, prefix, callOptions),
    close: async () => {},
  };
}

interface Writer extends FileStoreOptions {
  readonly clock: Clock;
  readonly sync: DirectorySync;
}

async function upload(writer: Writer, key: string, options: PutOptions): Promise<Upload> {
  options.signal.throwIfAborted();
  const root = await resolveRoot(writer.root);
  return beginUpload({ ...writer, root, path: objectPath(root, key) }, options);
}

async function put(
  writer: Writer,
  { key, bytes }: { readonly key: string; readonly bytes: Uint8Array },
  options: PutOptions,
): Promise<PutOutcome> {
  if (options.ifAbsent === true && (await existsDurably(writer, key, options))) return 'exists';
  const begun = await upload(writer, key, options);
  try {
    await begun.part({ number: 1, offset: 0, bytes }, options);
    return await begun.complete(options);
  } catch (error) {
    await begun.abort(options).catch(() => undefined);
    throw error;
  }
}

/** Spares writing what would be thrown away; link(2) has the last word. */
async function existsDurably(
  writer: Writer,
  key: string,
  { signal }: CallOptions,
): Promise<boolean> {
  signal.throwIfAborted();
  const root = await resolveRoot(writer.root);
  const path = objectPath(root, key);
  if (!(await directoryExists(dirname(path)))) return false;
  if ((await statFile(root, key)) === undefined) return false;
  await makeDurable(path, root, writer.sync);
  return true;
}
