import { TsbkError } from '../kernel/errors.ts';
import type { PutOutcome } from '../ports/blob-store.ts';
import type { ContentId, Receipt } from '../ports/lanes.ts';
import type { ByteSource, ByteStage } from '../ports/bytes.ts';
import { tally } from '../stream/tally.ts';
import { pipe } from '../stream/source.ts';
import { withExtension } from './layout.ts';
import { putStream } from './put-stream.ts';
import type { Repository, RunOptions } from './repository.ts';

/** An object to write. `key` comes without the codec's extension. */
export interface RawObject {
  readonly key: string;
  readonly source: ByteSource;
  /** Bytes of the source, where that is known. */
  readonly bytes?: number | undefined;
}

type Written = Receipt & { readonly outcome: PutOutcome };

/**
 * Writes an object if its key is free, and hashes its content and nothing else. The source is read to
 * its end also when the outcome is `exists`, so that the hash can be compared with what is stored.
 */
export async function writeIfAbsent(
  repository: Repository,
  { key, source, bytes }: RawObject,
  { signal }: RunOptions,
): Promise<{ readonly key: string; readonly outcome: PutOutcome; readonly plain: ContentId }> {
  const plain = tally();
  const object = { key, source: pipe(source, plain.stage), bytes, ifAbsent: true };
  const sent = await send(repository, object, { signal });
  return { ...sent, plain: plain.result() };
}

/** Writes an object and hashes its content, and what of it is stored. */
export async function writeObject(
  repository: Repository,
  object: RawObject & { readonly ifAbsent: boolean },
  { signal }: RunOptions,
): Promise<Written & { readonly plain: ContentId }> {
  const plain = tally();
  const source = pipe(object.source, plain.stage);
  const written = await transmit(repository, { ...object, source }, { signal });
  return { ...written, plain: plain.result() };
}

/** Sends an object, and hashes what of it is stored. */
async function transmit(
  repository: Repository,
  object: RawObject & { readonly ifAbsent: boolean },
  { signal }: RunOptions,
): Promise<Omit<Written, 'plain'>> {
  const stored = tally();
  const sent = await send(repository, object, { signal, last: stored.stage });
  return { ...sent, stored: stored.result() };
}

/**
 * The one expression by which raw bytes become a stored object: compress ▸ encrypt ▸ tally ▸ put.
 */
async function send(
  repository: Repository,
  object: RawObject & { readonly ifAbsent: boolean },
  { signal, last = asItIs }: RunOptions & { readonly last?: ByteStage },
): Promise<{ readonly key: string; readonly outcome: PutOutcome }> {
  const { writeCodec, cipher, store, partBytes, partsInFlight, partBuffers } = repository;
  if (writeCodec.compress === undefined) {
    throw new TypeError(`${writeCodec.name} cannot be written`);
  }
  const { ifAbsent, bytes: expectedBytes } = object;
  const key = withExtension(object.key, writeCodec.extension);
  const { outcome } = await putStream(
    store,
    key,
    pipe(object.source, writeCodec.compress, cipher.encrypt, last),
    { ifAbsent, signal, partBytes, partsInFlight, expectedBytes, partBuffers },
  );
  return { key, outcome };
}

const asItIs: ByteStage = (source) => source;

/**
 * Writes a part of a backup, which must not exist yet. Its source may lend its chunks. Throws
 * `object-exists`.
 */
export async function createPart(
  repository: Repository,
  { key, source }: RawObject,
  { signal }: RunOptions,
): Promise<Receipt> {
  let bytes = 0;
  const count: ByteStage = async function* (chunks) {
    for await (const chunk of chunks) {
      bytes += chunk.length;
      yield chunk;
    }
  };
  const object = { key, source: pipe(source, count), ifAbsent: true };
  const { outcome, ...receipt } = await transmit(repository, object, { signal });
  if (outcome === 'exists') throw appeared(receipt.key);
  return { ...receipt, plain: { bytes } };
}

/**
 * Writes an object that must not exist yet. Throws `object-exists` otherwise: the objects of two
 * runs must never mix.
 */
export async function createObject(
  repository: Repository,
  object: RawObject,
  { signal }: RunOptions,
): Promise<Receipt & { readonly plain: ContentId }> {
  const written = await writeObject(repository, { ...object, ifAbsent: true }, { signal });
  const { outcome, ...receipt } = written;
  if (outcome === 'stored') return receipt;
  throw appeared(receipt.key);
}

/** Writes a JSON record, as it is, under a key that must not exist yet. Throws `object-exists`. */
export async function createRecord(
  repository: Repository,
  key: string,
  text: string,
  { signal }: RunOptions,
): Promise<void> {
  const outcome = await repository.store.put(key, Buffer.from(text), { signal, ifAbsent: true });
  if (outcome === 'exists') throw appeared(key);
}

/** An object of a backup under way that somebody else wrote. */
export function appeared(key: string): TsbkError {
  return new TsbkError('object-exists', `${key} appeared while this backup was made`, {
    hint: 'Another run wrote under the same name. Nothing of it was changed; take the backup again.',
  });
}
