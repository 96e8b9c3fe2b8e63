import { Readable } from 'node:stream';
import { crc32 } from 'node:zlib';
import { isTsbkError, systemErrorCode, TsbkError } from '../../kernel/errors.ts';
import type { ByteSource } from '../../ports/bytes.ts';
import { ownedSource } from '../../stream/owned-source.ts';
import { encodeCrc32 } from './crc32.ts';
import { s3Error } from './errors.ts';
import { REQUEST_TIMEOUT_MS } from './options.ts';
import { progressWatch } from './progress-watch.ts';
import type { S3Target } from './target.ts';

export interface Announced {
  /** For messages. */
  readonly name: string;
  /** Where the body begins in the object. */
  readonly from: number;
  /** Where it ends. */
  readonly end: number;
  /** Checksum of the object, if the body is all of it and the service keeps one. */
  readonly crc32?: string | undefined;
}

/**
 * The body of an answer: exactly the announced bytes, or an error. `object-truncated` if it ends
 * early, `store-timeout` if it stops coming, `object-corrupt` if its checksum is wrong.
 */
export function bodyOf(
  body: unknown,
  announced: Announced,
  { options }: S3Target,
  signal: AbortSignal,
): ByteSource {
  if (!(body instanceof Readable)) {
    throw new TsbkError('store-failed', `the answer for ${announced.name} has no body`);
  }
  const onAbort = (): void => {
    body.destroy();
  };
  signal.addEventListener('abort', onAbort, { once: true });
  // Errors come out of the iteration; one that comes after it has been left is nobody's.
  body.on('error', () => {});
  const timeoutMs = options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS;
  return ownedSource(checked(body, announced, { signal, timeoutMs }), () => {
    signal.removeEventListener('abort', onAbort);
    body.destroy();
  });
}

/** Frees the connection of an answer that nobody will read. */
export function destroyBody(body: unknown): void {
  if (body instanceof Readable) body.on('error', () => {}).destroy();
}

async function* checked(
  body: Readable,
  announced: Announced,
  { signal, timeoutMs }: { readonly signal: AbortSignal; readonly timeoutMs: number },
): AsyncGenerator<Uint8Array> {
  const { name, end } = announced;
  let at = announced.from;
  let sum = 0;
  for await (const chunk of rawChunks(body, { name, signal, timeoutMs })) {
    at += chunk.length;
    if (at > end) throw new TsbkError('object-corrupt', `${name} is longer than announced`);
    if (announced.crc32 !== undefined) sum = crc32(chunk, sum);
    yield chunk;
  }
  signal.throwIfAborted();
  if (at < end) {
    throw new TsbkError('object-truncated', `${name} ended at byte ${at} of ${end}`);
  }
  const { crc32: expected } = announced;
  // `…-N` is the checksum of the parts' checksums; their borders are not known here.
  if (expected === undefined || expected.includes('-') || expected === encodeCrc32(sum)) return;
  throw new TsbkError('object-corrupt', `${name} does not have the checksum it was stored with`);
}

interface Reading {
  readonly name: string;
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
}

async function* rawChunks(
  body: Readable,
  { name, signal, timeoutMs }: Reading,
): AsyncGenerator<Uint8Array> {
  const iterator = body[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
  const watch = progressWatch(timeoutMs, () => {
    body.destroy(new TsbkError('store-timeout', `${name} stopped coming for ${timeoutMs} ms`));
  });
  for (;;) {
    let result: IteratorResult<Uint8Array>;
    try {
      result = await watch.during(() => iterator.next());
    } catch (error) {
      signal.throwIfAborted();
      throw bodyError(error, name);
    }
    if (result.done === true) return;
    watch.made(result.value.length);
    yield result.value;
  }
}

function bodyError(error: unknown, name: string): unknown {
  if (isTsbkError(error)) return error;
  const code = systemErrorCode(error) ?? '';
  if (code === 'ECONNRESET' || code === 'ERR_STREAM_PREMATURE_CLOSE') {
    return new TsbkError('object-truncated', `the connection was lost in the middle of ${name}`);
  }
  return s3Error(error, `cannot read ${name}`);
}
