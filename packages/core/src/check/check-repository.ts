import { randomBytes } from 'node:crypto';
import { isTsbkError, type TsbkError } from '../kernel/errors.ts';
import { readCatalog } from '../repository/catalog.ts';
import { hasObjects } from '../repository/identity.ts';
import { BACKUPS_FOLDER, sentinelKey } from '../repository/layout.ts';
import { unfinishedUploads } from '../repository/unfinished-uploads.ts';
import { extensionOf, openObject } from '../repository/read-object.ts';
import type { Repository, RunOptions } from '../repository/repository.ts';
import { createObject } from '../repository/write-object.ts';
import { collect } from '../stream/collect.ts';
import { sourceOf } from '../stream/source.ts';
import { tally } from '../stream/tally.ts';
import { failed, ok, warning, type Finding } from './finding.ts';

/** Compresses, and spans more than one chunk of every codec and cipher. */
const PROBE_BYTES = 256 * 1024;

interface StoreProbe {
  /** Whether a write if absent never replaces anything, by both ways of writing. */
  readonly conditionalWrites: (options: RunOptions) => Promise<{ put: boolean; upload: boolean }>;
}

/**
 * Tries what every backup and archived segment needs: listing, writing, refusing to overwrite,
 * reading back what was written through codec and cipher, and removing it.
 */
export async function checkRepository(
  repository: Repository,
  probe: StoreProbe,
  { signal }: RunOptions,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  const step = async (work: () => Promise<Finding[]>): Promise<boolean> => {
    try {
      findings.push(...(await work()));
      return true;
    } catch (error) {
      if (!isTsbkError(error)) throw error;
      findings.push(failed('repository', error.message, error.hint ?? `See ${error.code}.`));
      return false;
    }
  };
  const { url } = repository.store;
  const readable = await step(async () => {
    const { backups, broken } = await readCatalog(repository, { signal });
    const count = ok('repository', `${url} can be listed and holds ${backups.length} backups`);
    const bad = broken.map(({ name, problem }) =>
      warning('repository', problem.message, `Look at ${name}: it cannot be restored.`),
    );
    const isEmpty = backups.length === 0 && !(await hasObjects(repository, { signal }));
    const unfinished = await unfinishedBackups(repository, { signal });
    const stale = await staleUploads(repository, { signal });
    return [count, ...(isEmpty ? [emptiness(url)] : []), ...bad, ...unfinished, ...stale];
  });
  if (!readable) return findings;
  const written = await step(() => roundTrip(repository, { signal }));
  if (written) await step(() => overwriting(probe, { signal }));
  return findings;
}

function emptiness(url: string): Finding {
  return warning(
    'repository',
    `${url} holds no backup and no WAL`,
    'Right for a new repository. If it is not new, see whether the file system is mounted and the prefix is right: archive-get will not say of it that WAL is not there.',
  );
}

/** Folders without a sentinel: a backup under way, or what a killed run left. */
async function unfinishedBackups(
  repository: Repository,
  { signal }: RunOptions,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  for await (const name of repository.store.folders(BACKUPS_FOLDER, { signal })) {
    if ((await repository.store.stat(sentinelKey(name), { signal })) !== undefined) continue;
    findings.push(
      warning(
        'repository',
        `${name} is no complete backup: it is being made, or a run was killed`,
        '`tsbk st claims` tells whose it is; with --remove it takes away what killed runs left.',
      ),
    );
  }
  return findings;
}

/** A part of a backup is uploaded in minutes. */
const STALE_MS = 86_400_000;

async function staleUploads(repository: Repository, { signal }: RunOptions): Promise<Finding[]> {
  let count = 0;
  let example = '';
  try {
    for await (const { key } of unfinishedUploads(repository, { olderThanMs: STALE_MS, signal })) {
      count += 1;
      example = key;
    }
  } catch (error) {
    // Nothing else needs this right, and not every service has the request.
    if (!isTsbkError(error)) throw error;
    const fix = error.hint ?? 'Allow s3:ListBucketMultipartUploads, or have the bucket abort them.';
    return [warning('repository', `unfinished uploads cannot be seen: ${error.message}`, fix)];
  }
  if (count === 0) return [];
  return [
    warning(
      'repository',
      `${count} unfinished ${count === 1 ? 'upload is' : 'uploads are'} older than a day (${example}) and cost space`,
      'tsbk st uploads --remove',
    ),
  ];
}

async function roundTrip(repository: Repository, { signal }: RunOptions): Promise<Finding[]> {
  const { store, writeCodec, cipher } = repository;
  const base = `tsbk-check-${randomBytes(16).toString('hex')}`;
  const bytes = Buffer.concat([randomBytes(PROBE_BYTES / 2), Buffer.alloc(PROBE_BYTES / 2)]);
  const { key, stored } = await createObject(
    repository,
    { key: base, source: sourceOf(bytes) },
    { signal },
  );
  const { unreadable } = cipher;
  try {
    const comesBack =
      unreadable === undefined
        ? (await readBack(repository, { key, base }, { signal }))?.equals(bytes)
        : (await storedHash(repository, key, { signal })) === stored.sha256;
    if (comesBack !== true) {
      return [
        failed('repository', 'what was written does not come back', 'Do not use this store.'),
      ];
    }
  } finally {
    await store.remove(key, { signal });
  }
  const encryption =
    cipher.name === 'none' ? 'not encrypted' : `encrypted by ${cipher.name}, key ${cipher.keyId}`;
  const written = `an object was written (${writeCodec.name}, ${encryption}), read and removed`;
  return [ok('repository', written), ...(unreadable === undefined ? [] : [notProven(unreadable)])];
}

/** Plain content of the object that was written. */
async function readBack(
  repository: Repository,
  { key, base }: { readonly key: string; readonly base: string },
  { signal }: RunOptions,
): Promise<Buffer | undefined> {
  const opened = await openObject(repository, key, extensionOf(key, base), { signal });
  if (opened === undefined) return undefined;
  return await collect(opened.content, { maxBytes: PROBE_BYTES, what: key });
}

async function storedHash(
  { store }: Repository,
  key: string,
  { signal }: RunOptions,
): Promise<string | undefined> {
  const blob = await store.get(key, { signal });
  if (blob === undefined) return undefined;
  const counted = tally();
  for await (const _ of counted.stage(blob.body));
  return counted.result().sha256;
}

function notProven({ message }: TsbkError): Finding {
  return warning(
    'repository',
    `that backups can be decrypted cannot be proven here: ${message}`,
    'Run tsbk check, and a restore from time to time, where the private key is.',
  );
}

async function overwriting(probe: StoreProbe, { signal }: RunOptions): Promise<Finding[]> {
  const { put, upload } = await probe.conditionalWrites({ signal });
  if (put && upload) return [ok('repository', 'the store refuses to overwrite when asked to')];
  return [
    failed(
      'repository',
      'the store overwrites although it is asked not to (If-None-Match)',
      'Two servers that share this prefix could destroy each other’s WAL. Use a service that has conditional writes.',
    ),
  ];
}
