import { TsbkError } from '../kernel/errors.ts';
import type { BlobInfo } from '../ports/blob-store.ts';
import type { ByteSource } from '../ports/bytes.ts';
import { tally } from '../stream/tally.ts';
import { walDigestKey, walKey, withExtension } from './layout.ts';
import { openObject, type OpenObject } from './read-object.ts';
import type { Repository, RunOptions } from './repository.ts';
import { announceDigest, digestComesFirst, readWalDigest, storeDigest } from './wal-digest.ts';
import { writeIfAbsent } from './write-object.ts';

/** A WAL file of the archive: where it is and how it is compressed. */
export interface ArchivedWal {
  readonly key: string;
  readonly extension: string;
  readonly info: BlobInfo;
}

/** A WAL file to store. */
export interface OfferedWal {
  readonly name: string;
  /** Its length, if that is known. */
  readonly bytes?: number | undefined;
  /** The content, from the start each time. */
  readonly source: () => ByteSource;
}

/** A WAL file that is in the archive. */
export interface StoredWal {
  readonly outcome: StoreWalOutcome;
  /** Of the plain content, in hexadecimal. */
  readonly sha256: string;
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
  const [first] = candidates(repository, name);
  if (first !== undefined) {
    const info = await repository.store.stat(first.key, { signal });
    if (info !== undefined) return { ...first, info };
  }
  const [found] = await placesOf(repository, name, { signal, but: first?.key });
  return found;
}

/** Every place at which a WAL file lies, most likely first, `but` one. */
async function placesOf(
  repository: Repository,
  name: string,
  { signal, but }: RunOptions & { readonly but?: string | undefined },
): Promise<ArchivedWal[]> {
  const asked = candidates(repository, name).filter(({ key }) => key !== but);
  const found = await Promise.all(
    asked.map(async (place) => ({
      ...place,
      info: await repository.store.stat(place.key, { signal }),
    })),
  );
  return found.flatMap(({ info, ...place }) => (info === undefined ? [] : [{ ...place, info }]));
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
 * is compared by plain content. Throws `wal-conflict` when it differs, and `key-missing` when this
 * host cannot know. `source` must be readable more than once, and fails by itself if the file
 * changes while it is read.
 *
 * A write if absent decides between writers of one key, not between writers of two codecs. So
 * whoever has the file at its own place looks at every other place *after* that, and fails if one
 * holds other content; of two such writers the later one sees the earlier one, and nobody is told of
 * success who could be contradicted. Both may fail, and neither takes back what it wrote: a third
 * process may have been told meanwhile that this very object is archived (docs/decisions/0007).
 */
export async function storeWal(
  repository: Repository,
  wal: OfferedWal,
  { signal }: RunOptions,
): Promise<StoredWal> {
  const { name } = wal;
  // A second object under another extension would shadow this one, or be shadowed by it.
  const [existing] = await placesOf(repository, name, { signal });
  const placed =
    existing === undefined
      ? await write(repository, wal, { signal })
      : await find(repository, existing, wal, { signal });
  const ours = { name, sha256: placed.sha256, left: placed.isOurs ? placed.key : undefined };
  for (const other of await placesOf(repository, name, { signal, but: placed.key })) {
    await mustHold(repository, other, ours, { signal });
  }
  // Where the digest comes first, it is there when this call has stored the file.
  if (!placed.isOurs || !digestComesFirst(repository)) {
    await storeDigest(repository, { ...placed, name }, { signal });
  }
  return { outcome: placed.isOurs ? 'stored' : 'already-there', sha256: placed.sha256 };
}

/** A WAL file at its place, with the content that was offered. */
interface PlacedWal {
  readonly key: string;
  readonly extension: string;
  readonly sha256: string;
  /** This call stored it. */
  readonly isOurs: boolean;
}

async function write(
  repository: Repository,
  { name, bytes, source }: OfferedWal,
  { signal }: RunOptions,
): Promise<PlacedWal> {
  if (digestComesFirst(repository)) {
    const { extension } = repository.writeCodec;
    const { sha256 } = await digest(source());
    await announceDigest(repository, { extension, name, sha256 }, { signal });
  }
  const { key, outcome, plain } = await writeIfAbsent(
    repository,
    { key: walKey(name), source: source(), bytes },
    { signal },
  );
  const placed = { key, extension: repository.writeCodec.extension, sha256: plain.sha256 };
  if (outcome === 'stored') return { ...placed, isOurs: true };
  if ((await repository.store.stat(key, { signal })) === undefined) throw vanished(key);
  await mustHold(repository, placed, { name, sha256: placed.sha256 }, { signal });
  return { ...placed, isOurs: false };
}

async function find(
  repository: Repository,
  { key, extension }: Pick<ArchivedWal, 'key' | 'extension'>,
  { name, source }: OfferedWal,
  { signal }: RunOptions,
): Promise<PlacedWal> {
  const { sha256 } = await digest(source());
  await mustHold(repository, { key, extension }, { name, sha256 }, { signal });
  // Another push of this file may still be making it durable, and may yet fail at that.
  if (!(await repository.store.confirm(key, { signal }))) throw vanished(key);
  return { key, extension, sha256, isOurs: false };
}

function vanished(key: string): TsbkError {
  return new TsbkError('store-failed', `${key} was there and is gone`, {
    hint: 'Another push of it failed just now, or somebody deletes from the archive. PostgreSQL will offer the file again.',
    retry: true,
  });
}

async function mustHold(
  repository: Repository,
  existing: Pick<ArchivedWal, 'key' | 'extension'>,
  ours: {
    readonly name: string;
    readonly sha256: string;
    /** Where this call has just stored it. */
    readonly left?: string | undefined;
  },
  { signal }: RunOptions,
): Promise<void> {
  const theirs = await archivedDigest(repository, existing, ours.name, { signal });
  if (theirs === ours.sha256) return;
  throw new TsbkError(
    'wal-conflict',
    `${repository.store.url}/${existing.key} already holds other content than ${ours.name} ` +
      `(archived ${theirs?.slice(0, 12) ?? 'nothing'}…, offered ${ours.sha256.slice(0, 12)}…)`,
    {
      hint:
        (ours.left === undefined
          ? 'Nothing was changed. '
          : `${ours.left} was written at the same moment, and both are left: whichever is wrong must be removed by hand. `) +
        'Most likely two servers archive to one prefix, or a copy of this cluster was started: give each its own prefix.',
    },
  );
}

/** SHA-256 of an archived file's content: read from it, or told by its digest where it cannot be. */
async function archivedDigest(
  repository: Repository,
  { key, extension }: Pick<ArchivedWal, 'key' | 'extension'>,
  name: string,
  { signal }: RunOptions,
): Promise<string | undefined> {
  const { cipher, codecOf } = repository;
  if (cipher.unreadable === undefined) {
    const opened = await openObject(repository, key, extension, { signal });
    return opened === undefined ? undefined : (await digest(opened.content)).sha256;
  }
  const codec = codecOf(extension)?.name ?? '';
  const told = await readWalDigest(repository, name, codec, { signal });
  if (told !== undefined) return told;
  throw new TsbkError(
    'key-missing',
    `${name} is archived already, and whether with the same content cannot be told here: ` +
      `${repository.store.url}/${walDigestKey(name, codec)} is not there, and ${cipher.unreadable.message}`,
    {
      hint: `Another program archived it. Compare it where the private key is (tsbk wal-fetch ${name} /tmp/${name}), and if it is the same, archive it from there once.`,
    },
  );
}

async function digest(source: ByteSource): Promise<{ readonly sha256: string }> {
  const counted = tally();
  for await (const _ of counted.stage(source));
  return counted.result();
}
