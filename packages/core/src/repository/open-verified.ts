import { isTsbkError, TsbkError } from '../kernel/errors.ts';
import type { ByteSource } from '../ports/bytes.ts';
import type { ObjectRecord, PromisedObject } from '../ports/extract.ts';
import type { ContentId } from '../ports/lanes.ts';
import { pipe } from '../stream/source.ts';
import { tally } from '../stream/tally.ts';
import { openObject, type OpenObjectOptions } from './read-object.ts';
import type { Repository } from './repository.ts';

/**
 * The plain content of an object, checked against its record while it passes: length and SHA-256,
 * as stored, and plain where that has one. The source fails at its end with `object-corrupt` if
 * anything differs, so nothing of it may count before it has ended. With `large` its chunks are lent
 * until the next one is asked for. Throws `object-missing` if it is not there.
 */
export async function openVerified(
  repository: Repository,
  { key, extension, record }: PromisedObject,
  options: OpenObjectOptions,
): Promise<ByteSource> {
  const opened = await openObject(repository, key, extension, options);
  if (opened === undefined) {
    throw new TsbkError('object-missing', `${repository.store.url}/${key} is not there`, {
      hint: 'The backup is incomplete and cannot be restored. Choose another one.',
    });
  }
  if (record === undefined) return naming(opened.content, key);
  if (opened.info.bytes !== record.stored.bytes) {
    // Nobody will read it: this is what frees its connection.
    await opened.stored[Symbol.asyncIterator]().return?.();
    throw differs(key, `has ${opened.info.bytes} bytes and was stored with ${record.stored.bytes}`);
  }
  return naming(verified(repository, opened, { key, record }), key);
}

/** Codecs and ciphers know what is wrong, but not with which object. */
async function* naming(source: ByteSource, key: string): ByteSource {
  try {
    yield* source;
  } catch (error) {
    if (!isTsbkError(error, 'object-corrupt') || error.message.includes(key)) throw error;
    const { message, hint } = error;
    throw new TsbkError('object-corrupt', `${key}: ${message}`, { hint, cause: error });
  }
}

async function* verified(
  { cipher }: Repository,
  { stored, codec }: NonNullable<Awaited<ReturnType<typeof openObject>>>,
  { key, record }: { readonly key: string; readonly record: ObjectRecord },
): ByteSource {
  const before = tally();
  // Parts of backups have no hash of their content, small objects do.
  const after = record.plain.sha256 === undefined ? undefined : tally();
  const stages = after === undefined ? [] : [after.stage];
  let bytes = 0;
  for await (const chunk of pipe(
    stored,
    before.stage,
    cipher.decrypt,
    codec.decompressHashed ?? codec.decompress,
    ...stages,
  )) {
    bytes += chunk.length;
    // At once: what swells without end must not fill the disk first.
    if (bytes > record.plain.bytes) throw differs(key, 'holds more than was backed up');
    yield chunk;
  }
  if (!isSame(before.result(), record.stored)) throw differs(key, 'is not what was stored');
  if (bytes !== record.plain.bytes || after?.result().sha256 !== record.plain.sha256) {
    throw differs(key, 'does not hold what was backed up');
  }
}

function isSame(a: ContentId, b: ContentId): boolean {
  return a.bytes === b.bytes && a.sha256 === b.sha256;
}

function differs(key: string, problem: string): TsbkError {
  return new TsbkError('object-corrupt', `${key} ${problem}`, {
    hint: 'The object was damaged or replaced in the store. Choose another backup.',
  });
}
