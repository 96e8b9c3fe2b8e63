import { TsbkError } from '../kernel/errors.ts';
import { isObjectKey } from '../kernel/object-key.ts';
import type { BlobInfo } from '../ports/blob-store.ts';
import {
  BACKUPS_FOLDER,
  backupOfSentinelKey,
  IDENTITY_KEY,
  sentinelKey,
  WAL_FOLDER,
} from '../repository/layout.ts';
import type { Repository, RunOptions } from '../repository/repository.ts';
import { mapParallel } from '../stream/parallel.ts';
import { folderPrefix } from './list.ts';

/** What removing a name would do. Nothing is touched to find out. */
export interface RemovalPlan {
  /** An object, or a folder with a slash at its end. */
  readonly name: string;
  readonly objects: number;
  readonly bytes: number;
  /** Among them are backups or WAL, which nobody should remove by hand. */
  readonly guarded: boolean;
  /** Backups that would go on being listed without what they are made of. */
  readonly broken: readonly string[];
}

/**
 * What an object name, or the name of a folder, stands for. Names are whole: `a/b` is not the
 * beginning of `a/bc`. Throws `object-missing` if there is nothing.
 */
export async function planRemoval(
  repository: Repository,
  path: string,
  { signal }: RunOptions,
): Promise<RemovalPlan> {
  let objects = 0;
  let bytes = 0;
  for await (const info of objectsOf(repository, path, { signal })) {
    objects += 1;
    bytes += info.bytes;
  }
  if (objects === 0) {
    throw new TsbkError('object-missing', `there is neither an object nor a folder ${path}`, {
      hint: '`tsbk st ls` shows what there is.',
    });
  }
  const key = folderPrefix(path).slice(0, -1);
  const isObject = (await repository.store.stat(key, { signal })) !== undefined;
  return {
    name: isObject ? key : `${key}/`,
    objects,
    bytes,
    guarded: isGuarded(key),
    broken: await brokenBy(repository, key, { signal }),
  };
}

const REMOVALS_AT_ONCE = 16;
const BATCH = 1000;

/**
 * Removes what the plan names, sentinels first: a backup stops existing before it loses anything.
 * Throws `object-guarded` for backups and WAL unless that is meant.
 */
export async function removeObjects(
  repository: Repository,
  plan: RemovalPlan,
  { signal, force }: RunOptions & { readonly force: boolean },
): Promise<void> {
  if (plan.guarded && !force) throw guarded(plan);
  const { store } = repository;
  const remove = async (keys: readonly string[]): Promise<void> => {
    await mapParallel(keys, { width: REMOVALS_AT_ONCE, signal }, (key, both) =>
      store.remove(key, { signal: both }),
    );
  };
  for (const isFirst of [true, false]) {
    const batch: string[] = [];
    for await (const { key } of objectsOf(repository, plan.name, { signal })) {
      if ((backupOfSentinelKey(key) !== undefined) !== isFirst) continue;
      batch.push(key);
      if (batch.length === BATCH) await remove(batch.splice(0));
    }
    await remove(batch);
  }
}

function guarded({ name, objects }: RemovalPlan): TsbkError {
  return new TsbkError(
    'object-guarded',
    `${name} belongs to backups or WAL (${objects} objects); nothing was removed`,
    { hint: '--plan shows what would go. --force removes it, and nothing brings it back.' },
  );
}

async function* objectsOf(
  { store }: Repository,
  path: string,
  { signal }: RunOptions,
): AsyncGenerator<BlobInfo> {
  const folder = folderPrefix(path);
  const key = folder.slice(0, -1);
  if (!isObjectKey(key)) {
    throw new TsbkError('unsafe-name', `${JSON.stringify(path)} is no name of an object or folder`);
  }
  const object = path.endsWith('/') ? undefined : await store.stat(key, { signal });
  if (object === undefined) yield* store.list(folder, { signal });
  else yield object;
}

function isGuarded(key: string): boolean {
  return (
    key === IDENTITY_KEY || [BACKUPS_FOLDER, WAL_FOLDER].some((root) => `${key}/`.startsWith(root))
  );
}

/** The backup that a key lies in, if its sentinel stays: a sentinel lies beside its folder. */
async function brokenBy(
  { store }: Repository,
  key: string,
  { signal }: RunOptions,
): Promise<readonly string[]> {
  const [, backup] = new RegExp(`^${BACKUPS_FOLDER}([^/]+)(?:/|$)`).exec(key) ?? [];
  if (backup === undefined || backupOfSentinelKey(key) !== undefined) return [];
  const stays = await store.stat(sentinelKey(backup), { signal });
  return stays === undefined ? [] : [backup];
}
