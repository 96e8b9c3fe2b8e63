import { TsbkError } from '../kernel/errors.ts';
import type { PutOutcome } from '../ports/blob-store.ts';
import type { Receipt } from '../ports/lanes.ts';
import type { ByteSource } from '../ports/bytes.ts';
import { tally } from '../stream/tally.ts';
import { pipe } from '../stream/source.ts';
import { withExtension } from './layout.ts';
import { putStream } from './put-stream.ts';
import type { Repository, RunOptions } from './repository.ts';

/**
 * The one expression by which raw bytes become a stored object: tally ▸ compress ▸ encrypt ▸ tally
 * ▸ put. `key` comes without the codec's extension. The source is read to its end also when the
 * outcome is `exists`, so that the receipt's plain hash can be compared with what is stored.
 */
export async function writeObject(
  repository: Repository,
  object: { readonly key: string; readonly source: ByteSource; readonly ifAbsent: boolean },
  { signal }: RunOptions,
): Promise<Receipt & { readonly outcome: PutOutcome }> {
  const { writeCodec, cipher, store, partBytes, partsInFlight } = repository;
  if (writeCodec.compress === undefined) {
    throw new TypeError(`${writeCodec.name} cannot be written`);
  }
  const plain = tally();
  const stored = tally();
  const key = withExtension(object.key, writeCodec.extension);
  const { outcome } = await putStream(
    store,
    key,
    pipe(object.source, plain.stage, writeCodec.compress, cipher.encrypt, stored.stage),
    { ifAbsent: object.ifAbsent, signal, partBytes, partsInFlight },
  );
  return { key, outcome, plain: plain.result(), stored: stored.result() };
}

/**
 * Writes an object that must not exist yet. Throws `object-exists` otherwise: the objects of two
 * runs must never mix.
 */
export async function createObject(
  repository: Repository,
  object: { readonly key: string; readonly source: ByteSource },
  { signal }: RunOptions,
): Promise<Receipt> {
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
