import { TsbkError } from '../kernel/errors.ts';
import { formatInstant } from '../kernel/instant.ts';
import { toSystemId, type SystemId } from '../kernel/system-id.ts';
import { stringifyJson } from '../format/json.ts';
import { asObject, optionalU64 } from '../format/json-fields.ts';
import { newestSentinel } from './catalog.ts';
import { BACKUPS_FOLDER, IDENTITY_KEY, WAL_FOLDER } from './layout.ts';
import { readRecord } from './read-record.ts';
import type { Repository, RunOptions } from './repository.ts';

/**
 * Makes sure that this repository belongs to the cluster `systemId`, so that the WAL of two
 * clusters never mixes. The first writer leaves a mark in the root; a repository that WAL-G began
 * is known by its newest backup. Throws `wrong-system-id`.
 */
export async function requireIdentity(
  repository: Repository,
  systemId: SystemId,
  { signal }: RunOptions,
): Promise<void> {
  const marked = await readIdentity(repository, { signal });
  if (marked !== undefined) return mustBe(repository, marked, systemId);
  const sentinel = await newestSentinel(repository, { signal });
  if (sentinel?.systemId !== undefined) mustBe(repository, sentinel.systemId, systemId);
  const mark = stringifyJson({
    system_identifier: systemId,
    created: formatInstant(repository.clock.now()),
  });
  const outcome = await repository.store.put(IDENTITY_KEY, Buffer.from(mark), {
    signal,
    ifAbsent: true,
  });
  if (outcome === 'stored') return;
  const winner = await readIdentity(repository, { signal });
  if (winner !== undefined) mustBe(repository, winner, systemId);
}

/**
 * Makes sure that what is not here is not anywhere: that this is the repository of the cluster
 * `systemId`, as far as both are known. A file system that is not mounted and a mistyped prefix look
 * like a repository without WAL. Throws `repository-empty`, `wrong-system-id`.
 */
export async function requireRepository(
  repository: Repository,
  systemId: SystemId | undefined,
  { signal }: RunOptions,
): Promise<void> {
  const marked = await readIdentity(repository, { signal });
  if (marked !== undefined && systemId !== undefined) mustBe(repository, marked, systemId);
  if (marked !== undefined || (await hasObjects(repository, { signal }))) return;
  throw new TsbkError(
    'repository-empty',
    `${repository.store.url} holds no backup and no WAL, so it is not known what is missing there`,
    {
      hint: 'Is the file system mounted, and the prefix the one that archive-push writes to? If it is right and recovery is to end without an archive, take restore_command away.',
    },
  );
}

/** Whether there is a backup or WAL of any tool. Backups first: they are fewer. */
export async function hasObjects({ store }: Repository, { signal }: RunOptions): Promise<boolean> {
  for await (const _ of store.list(BACKUPS_FOLDER, { signal, shallow: true })) return true;
  for await (const _ of store.list(WAL_FOLDER, { signal })) return true;
  return false;
}

/** The system identifier that the root's mark names; `undefined` without a mark. */
export async function readIdentity(
  repository: Repository,
  { signal }: RunOptions,
): Promise<SystemId | undefined> {
  const value = await readRecord(repository, IDENTITY_KEY, { signal });
  if (value === undefined) return undefined;
  const id = optionalU64(asObject(value, IDENTITY_KEY), 'system_identifier', IDENTITY_KEY);
  return id === undefined ? undefined : toSystemId(id);
}

function mustBe(repository: Repository, known: SystemId, offered: SystemId): void {
  if (known === offered) return;
  throw new TsbkError(
    'wrong-system-id',
    `${repository.store.url} belongs to the cluster with system identifier ${known}, ` +
      `this is ${offered}`,
    { hint: 'Give each cluster a prefix of its own (WALG_FILE_PREFIX, WALG_S3_PREFIX).' },
  );
}
