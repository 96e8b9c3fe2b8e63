import { isTsbkError, TsbkError } from '../kernel/errors.ts';
import type { BlobInfo } from '../ports/blob-store.ts';
import type { BackupSummary } from './catalog.ts';
import { partitionsFolder } from './layout.ts';
import { openObject } from './read-object.ts';
import type { Repository, RunOptions } from './repository.ts';

/**
 * Finds out whether the configured key opens a backup before anything large of it is downloaded: by
 * the key id that tsbk records, else by the head of the backup's smallest tar. Throws `wrong-key`
 * and `key-missing`.
 */
export async function requireKey(
  repository: Repository,
  backup: BackupSummary,
  { signal }: RunOptions,
): Promise<void> {
  if (provenByRecord(repository, backup)) return;
  if (repository.cipher.unreadable !== undefined) throw repository.cipher.unreadable;
  const tar = await smallestTar(repository, backup.name, { signal });
  if (tar === undefined) return;
  try {
    await readHead(repository, tar, { signal });
  } catch (error) {
    if (repository.cipher.name !== 'none' || !isTsbkError(error, 'object-corrupt')) throw error;
    throw wrongKey(
      `${tar.key} cannot be decompressed: it is encrypted and no key is configured, or it is damaged`,
    );
  }
}

/** The first chunk authenticates, or it does not. Leaving the loop ends the download. */
async function readHead(
  repository: Repository,
  { key }: BlobInfo,
  { signal }: RunOptions,
): Promise<void> {
  const extension = /\.tar\.([^./]*)$/.exec(key)?.[1] ?? '';
  const opened = await openObject(repository, key, extension, { signal });
  for await (const _ of opened?.content ?? []) return;
}

/**
 * Whether the record proves the configured key to be the right one; `false` if it does not say.
 * Throws `wrong-key` if it proves the contrary.
 */
export function provenByRecord({ cipher }: Repository, { name, sentinel }: BackupSummary): boolean {
  const { encryption } = sentinel;
  if (encryption === undefined) return false;
  if (encryption.cipher !== cipher.name) {
    throw wrongKey(
      encryption.cipher === 'none'
        ? `${name} is not encrypted, and a key for ${cipher.name} is configured`
        : `${name} is encrypted by ${encryption.cipher}, and ${cipher.name === 'none' ? 'no key' : `a key for ${cipher.name}`} is configured`,
    );
  }
  if (encryption.keyId === cipher.keyId) return cipher.name !== 'openpgp';
  // Another ring may hold the key as well.
  if (cipher.name === 'openpgp') return false;
  throw wrongKey(
    `${name} is encrypted with the key ${encryption.keyId ?? 'without an id'}, and the configured one is ${cipher.keyId ?? 'none'}`,
  );
}

async function smallestTar(
  { store }: Repository,
  backup: string,
  { signal }: RunOptions,
): Promise<BlobInfo | undefined> {
  let smallest: BlobInfo | undefined;
  for await (const tar of store.list(partitionsFolder(backup), { signal })) {
    if (smallest === undefined || tar.bytes < smallest.bytes) smallest = tar;
  }
  return smallest;
}

function wrongKey(problem: string): TsbkError {
  return new TsbkError('wrong-key', problem, {
    hint: 'The encryption settings of a restore must be those of the backup: `tsbk config` shows where each comes from. An id is a hash of its key.',
  });
}
