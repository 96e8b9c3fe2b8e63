import { TsbkError } from '../kernel/errors.ts';
import { collect } from '../stream/collect.ts';
import { walDigestKey } from './layout.ts';
import type { Repository, RunOptions } from './repository.ts';

/**
 * Where the archiving host cannot read what it wrote, the digest is how it knows its own WAL again.
 * Were it written after the segment, a crash between the two would leave WAL that can never be
 * compared, and an archiver that is stuck.
 */
export function digestComesFirst({ cipher }: Repository): boolean {
  return cipher.name === 'openpgp';
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

/** WAL that nothing else proves, and WAL that its own writer cannot read, has a digest beside it. */
function needsDigest({ cipher }: Repository, codecName: string): boolean {
  if (cipher.name === 'none') return !carriesChecksum(codecName);
  return cipher.name === 'openpgp';
}

/** Formats whose own checksum covers the plain content. */
export function carriesChecksum(codecName: string): boolean {
  return codecName === 'lz4' || codecName === 'zstd' || codecName === 'gzip';
}

/** Stores the digest of a segment that is in the archive, with this very content. */
export async function storeDigest(
  repository: Repository,
  wal: WalDigest & {
    /** This call stored the segment: a digest that is there already is of one that is gone. */
    readonly isOurs: boolean;
  },
  { signal }: RunOptions,
): Promise<void> {
  const placed = await placeDigest(repository, wal, { signal, ifAbsent: !wal.isOurs });
  if (placed === undefined || placed.sha256 === wal.sha256) return;
  // A reader would refuse the segment, so it is not archived yet.
  throw new TsbkError('object-corrupt', `${placed.key} is not the digest of ${wal.name}`, {
    hint: 'The digest is damaged. The archived segment was just compared and is right: remove the digest.',
  });
}

/** Stores the digest of a segment that is not in the archive yet. */
export async function announceDigest(
  repository: Repository,
  wal: WalDigest,
  { signal }: RunOptions,
): Promise<void> {
  const placed = await placeDigest(repository, wal, { signal, ifAbsent: true });
  if (placed === undefined || placed.sha256 === wal.sha256) return;
  throw new TsbkError(
    'wal-conflict',
    `${repository.store.url}/${placed.key} says that other content is being archived as ${wal.name} ` +
      `(there ${placed.sha256?.slice(0, 12) ?? 'nothing'}…, offered ${wal.sha256.slice(0, 12)}…)`,
    {
      hint: 'Nothing was changed. Most likely two servers archive to one prefix: give each its own. If no other does and the segment itself is not there, remove the digest.',
    },
  );
}

interface WalDigest {
  readonly name: string;
  readonly extension: string;
  readonly sha256: string;
}

/** The digest that stands there afterwards, this one or another; `undefined` if none is needed. */
async function placeDigest(
  repository: Repository,
  wal: WalDigest,
  { signal, ifAbsent }: RunOptions & { readonly ifAbsent: boolean },
): Promise<{ readonly key: string; readonly sha256: string | undefined } | undefined> {
  const codec = repository.codecOf(wal.extension);
  if (codec === undefined || !needsDigest(repository, codec.name)) return undefined;
  const line = Buffer.from(`${wal.sha256}  ${wal.name}\n`, 'latin1');
  const key = walDigestKey(wal.name, codec.name);
  const outcome = await repository.store.put(key, line, { signal, ifAbsent });
  if (outcome === 'stored') return { key, sha256: wal.sha256 };
  const sha256 = await readWalDigest(repository, wal.name, codec.name, { signal });
  return { key, sha256 };
}
