import { TsbkError } from '../kernel/errors.ts';
import type { Instant } from '../kernel/instant.ts';
import type { BlobInfo } from '../ports/blob-store.ts';
import type { ByteSource } from '../ports/bytes.ts';
import { walDigestKey, walKey, withExtension } from './layout.ts';
import { openObject, type OpenObject } from './read-object.ts';
import type { Repository, RunOptions } from './repository.ts';
import { announceDigest, digestComesFirst, readWalDigest, storeDigest } from './wal-digest.ts';
import { keepHead, readContent, walConflict, type WalContent } from './wal-conflict.ts';
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
  /** As far as is known it is not archived: then nobody looks before it is written, only afterwards. */
  readonly isNew?: boolean | undefined;
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
  const [existing] = wal.isNew === true ? [] : await placesOf(repository, name, { signal });
  const placed =
    existing === undefined
      ? await write(repository, wal, { signal })
      : await find(repository, existing, wal, { signal });
  const { sha256 } = placed.content;
  const ours = { name, content: placed.content, left: placed.isOurs ? placed.key : undefined };
  for (const other of await placesOf(repository, name, { signal, but: placed.key })) {
    await mustHold(repository, other, ours, { signal });
  }
  // Where the digest comes first, it is there when this call has stored the file.
  if (!placed.isOurs || !digestComesFirst(repository)) {
    await storeDigest(repository, { ...placed, sha256, name }, { signal });
  }
  return { outcome: placed.isOurs ? 'stored' : 'already-there', sha256 };
}

/** A WAL file at its place, with the content that was offered. */
interface PlacedWal {
  readonly key: string;
  readonly extension: string;
  readonly content: WalContent;
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
    const { sha256 } = await readContent(source());
    await announceDigest(repository, { extension, name, sha256 }, { signal });
  }
  const begin = keepHead();
  const { key, outcome, plain } = await writeIfAbsent(
    repository,
    { key: walKey(name), source: begin.stage(source()), bytes },
    { signal },
  );
  const content = { sha256: plain.sha256, head: begin.head() };
  const placed = { key, extension: repository.writeCodec.extension, content };
  if (outcome === 'stored') return { ...placed, isOurs: true };
  if ((await repository.store.stat(key, { signal })) === undefined) throw vanished(key);
  await mustHold(repository, placed, { name, content }, { signal });
  return { ...placed, isOurs: false };
}

async function find(
  repository: Repository,
  { key, extension }: Pick<ArchivedWal, 'key' | 'extension'>,
  { name, source }: OfferedWal,
  { signal }: RunOptions,
): Promise<PlacedWal> {
  const content = await readContent(source());
  await mustHold(repository, { key, extension }, { name, content }, { signal });
  // Another push of this file may still be making it durable, and may yet fail at that.
  if (!(await repository.store.confirm(key, { signal }))) throw vanished(key);
  return { key, extension, content, isOurs: false };
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
    readonly content: WalContent;
    /** Where this call has just stored it. */
    readonly left?: string | undefined;
  },
  { signal }: RunOptions,
): Promise<void> {
  const theirs = await archivedContent(repository, existing, ours.name, { signal });
  if (theirs?.sha256 === ours.content.sha256) return;
  throw walConflict({
    name: ours.name,
    object: `${repository.store.url}/${existing.key}`,
    modified: theirs?.modified,
    archived: theirs,
    offered: ours.content,
    left: ours.left,
  });
}

/** An archived file's content: read, or told by its digest where it cannot be. */
async function archivedContent(
  repository: Repository,
  { key, extension }: Pick<ArchivedWal, 'key' | 'extension'>,
  name: string,
  { signal }: RunOptions,
): Promise<(WalContent & { readonly modified?: Instant }) | undefined> {
  const { cipher, codecOf } = repository;
  if (cipher.unreadable === undefined) {
    const opened = await openObject(repository, key, extension, { signal });
    if (opened === undefined) return undefined;
    return { ...(await readContent(opened.content)), modified: opened.info.modified };
  }
  const codec = codecOf(extension)?.name ?? '';
  const told = await readWalDigest(repository, name, codec, { signal });
  if (told !== undefined) return { sha256: told, head: new Uint8Array(0) };
  throw new TsbkError(
    'key-missing',
    `${name} is archived already, and whether with the same content cannot be told here: ` +
      `${repository.store.url}/${walDigestKey(name, codec)} is not there, and ${cipher.unreadable.message}`,
    {
      hint: `Another program archived it. Compare it where the private key is (tsbk wal-fetch ${name} /tmp/${name}), and if it is the same, archive it from there once.`,
    },
  );
}
