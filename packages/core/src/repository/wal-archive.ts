import { TsbkError } from '../kernel/errors.ts';
import type { BlobInfo } from '../ports/blob-store.ts';
import type { ByteSource } from '../ports/bytes.ts';
import { collect } from '../stream/collect.ts';
import { tally } from '../stream/tally.ts';
import { walDigestKey, walKey, withExtension } from './layout.ts';
import { openObject, type OpenObject } from './read-object.ts';
import type { Repository, RunOptions } from './repository.ts';
import { writeObject } from './write-object.ts';

/** A WAL file of the archive: where it is and how it is compressed. */
export interface ArchivedWal {
  readonly key: string;
  readonly extension: string;
  readonly info: BlobInfo;
}

export type StoreWalOutcome =
  /** Stored by this call. */
  | 'stored'
  /** The archive had it already, with the same content. */
  | 'already-there';

/** Keys under which a WAL file may lie, most likely first. The last one has WAL-G 3.0.8's dangling dot. */
function candidates(repository: Repository, name: string) {
  const keys = repository.walExtensions.map((extension) => ({
    key: withExtension(walKey(name), extension),
    extension,
  }));
  return [...keys, { key: `${walKey(name)}.`, extension: '' }];
}

/**
 * Looks for a WAL file under every extension. `undefined` only if the store denied each one, so it
 * is proof of absence. Never goes by a listing, which may lag behind.
 */
export async function findWal(
  repository: Repository,
  name: string,
  { signal }: RunOptions,
): Promise<ArchivedWal | undefined> {
  const [first, ...others] = candidates(repository, name);
  if (first !== undefined) {
    const info = await repository.store.stat(first.key, { signal });
    if (info !== undefined) return { ...first, info };
  }
  const found = await Promise.all(
    others.map(async (place) => ({
      ...place,
      info: await repository.store.stat(place.key, { signal }),
    })),
  );
  for (const { info, ...place } of found) if (info !== undefined) return { ...place, info };
  return undefined;
}

/**
 * Opens a WAL file of the archive. `undefined` is proof of absence, as in `findWal`; in the common
 * case it costs one request.
 */
export async function openWal(
  repository: Repository,
  name: string,
  { signal }: RunOptions,
): Promise<OpenObject | undefined> {
  const [first] = candidates(repository, name);
  if (first !== undefined) {
    const opened = await openObject(repository, first.key, first.extension, { signal });
    if (opened !== undefined) return opened;
  }
  const found = await findWal(repository, name, { signal });
  if (found === undefined) return undefined;
  return await openObject(repository, found.key, found.extension, { signal });
}

/**
 * Stores a WAL file so that its content can never change: written if absent; what is there already
 * is compared by plain content. Throws `wal-conflict` when it differs. `source` must be readable
 * more than once, and fails by itself if the file changes while it is read.
 */
export async function storeWal(
  repository: Repository,
  wal: { readonly name: string; readonly source: () => ByteSource },
  { signal }: RunOptions,
): Promise<StoreWalOutcome> {
  const { name } = wal;
  // An object under another extension would shadow ours (or be shadowed by it) for readers.
  const existing = await findWal(repository, name, { signal });
  if (existing !== undefined) {
    const ours = await digest(wal.source());
    await mustHold(repository, existing, { name, sha256: ours.sha256 }, { signal });
    // Another push of this file may still be making it durable, and may yet fail at that.
    if (!(await repository.store.confirm(existing.key, { signal }))) throw vanished(existing.key);
    await storeDigest(repository, { ...existing, name, ...ours, isOurs: false }, { signal });
    return 'already-there';
  }
  const receipt = await writeObject(
    repository,
    { key: walKey(name), source: wal.source(), ifAbsent: true },
    { signal },
  );
  const { extension } = repository.writeCodec;
  const { sha256 } = receipt.plain;
  if (receipt.outcome === 'exists') {
    const info = await repository.store.stat(receipt.key, { signal });
    if (info === undefined) throw vanished(receipt.key);
    await mustHold(repository, { key: receipt.key, extension, info }, { name, sha256 }, { signal });
  }
  const isOurs = receipt.outcome === 'stored';
  await storeDigest(repository, { extension, name, sha256, isOurs }, { signal });
  return isOurs ? 'stored' : 'already-there';
}

function vanished(key: string): TsbkError {
  return new TsbkError('store-failed', `${key} was there and is gone`, {
    hint: 'Another push of it failed just now, or somebody deletes from the archive. PostgreSQL will offer the file again.',
    retry: true,
  });
}

/** The digest that was stored with a WAL file, if there is one. */
export async function readWalDigest(
  repository: Repository,
  name: string,
  codecName: string,
  { signal }: RunOptions,
): Promise<string | undefined> {
  const key = walDigestKey(name, codecName);
  const blob = await repository.store.get(key, { signal });
  if (blob === undefined) return undefined;
  const text = (await collect(blob.body, { maxBytes: 4096, what: key })).toString('latin1');
  const hash = /^([0-9a-f]{64}) {2}/.exec(text)?.[1];
  if (hash === undefined) {
    throw new TsbkError('object-corrupt', `${key} is not a SHA-256 digest`, {
      hint: 'The digest is damaged. Compare the segment with another copy, then remove the digest.',
    });
  }
  return hash;
}

/** Formats whose own checksum covers the plain content; the others get a digest beside them. */
export function carriesChecksum(codecName: string): boolean {
  return codecName === 'lz4' || codecName === 'zstd' || codecName === 'gzip';
}

async function storeDigest(
  repository: Repository,
  wal: {
    readonly name: string;
    readonly extension: string;
    readonly sha256: string;
    /** This call stored the segment: a digest that is there already is of one that is gone. */
    readonly isOurs: boolean;
  },
  { signal }: RunOptions,
): Promise<void> {
  const codec = repository.codecOf(wal.extension);
  if (codec === undefined || carriesChecksum(codec.name) || repository.cipher.name !== 'none') {
    return;
  }
  const line = Buffer.from(`${wal.sha256}  ${wal.name}\n`, 'latin1');
  const key = walDigestKey(wal.name, codec.name);
  const outcome = await repository.store.put(key, line, { signal, ifAbsent: !wal.isOurs });
  if (outcome === 'stored') return;
  const theirs = await readWalDigest(repository, wal.name, codec.name, { signal });
  if (theirs === wal.sha256) return;
  // A reader would refuse the segment, so it is not archived yet.
  throw new TsbkError('object-corrupt', `${key} is not the digest of ${wal.name}`, {
    hint: 'The digest is damaged. The archived segment was just compared and is right: remove the digest.',
  });
}

async function mustHold(
  repository: Repository,
  existing: ArchivedWal,
  ours: { readonly name: string; readonly sha256: string },
  { signal }: RunOptions,
): Promise<void> {
  const opened = await openObject(repository, existing.key, existing.extension, { signal });
  const theirs = opened === undefined ? undefined : await digest(opened.content);
  if (theirs?.sha256 === ours.sha256) return;
  throw new TsbkError(
    'wal-conflict',
    `${repository.store.url}/${existing.key} already holds other content than ${ours.name} ` +
      `(archived ${theirs?.sha256.slice(0, 12) ?? 'nothing'}…, offered ${ours.sha256.slice(0, 12)}…)`,
    {
      hint: 'Nothing was changed. Most likely two servers archive to one prefix, or a copy of this cluster was started: give each its own prefix.',
    },
  );
}

async function digest(source: ByteSource): Promise<{ readonly sha256: string }> {
  const counted = tally();
  for await (const _ of counted.stage(source));
  return counted.result();
}
