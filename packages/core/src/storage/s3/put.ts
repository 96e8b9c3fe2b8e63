import { TsbkError } from '../../kernel/errors.ts';
import type { CallOptions, PutOptions, PutOutcome } from '../../ports/blob-store.ts';
import { crc32Of } from './crc32.ts';
import { isS3Error } from './errors.ts';
import { exchange } from './exchange.ts';
import { head } from './head.ts';
import { bucketKey, urlOf, type S3Target } from './target.ts';
import { headerOf } from './wire/answer.ts';
import { writeSettings } from './write-settings.ts';

/** Stores an object in one request, then asks whether it is there as it was sent. */
export async function putObject(
  target: S3Target,
  { key, bytes }: { readonly key: string; readonly bytes: Uint8Array },
  options: PutOptions,
): Promise<PutOutcome> {
  const { signal, ifAbsent = false } = options;
  const full = bucketKey(target, key);
  if (ifAbsent && (await existsAlready(target, key, options))) return 'exists';
  const crc32 = crc32Of(bytes);
  const headers = {
    'content-type': 'application/octet-stream',
    'x-amz-checksum-crc32': crc32,
    ...writeSettings(target),
    ...condition(target, ifAbsent),
  };
  const what = `cannot put ${urlOf(target, key)}`;
  const answer = await exchange(target, { what, signal, bytes: bytes.length }, (abortSignal) =>
    target.client
      .send({ method: 'PUT', key: full, headers, body: bytes }, { abortSignal })
      .catch(unlessPreconditionFailed),
  );
  if (answer === undefined) return 'exists';
  const etag = headerOf(answer.headers, 'etag');
  await verifyStored(target, key, { bytes: bytes.length, crc32, etag }, { signal });
  return 'stored';
}

export interface Expected {
  readonly bytes: number;
  readonly crc32: string;
  readonly etag: string | undefined;
}

/** Throws `store-corrupt-write` unless the store now has exactly what was sent. */
export async function verifyStored(
  target: S3Target,
  key: string,
  expected: Expected,
  options: CallOptions,
): Promise<void> {
  const found = await head(target, key, options);
  const name = urlOf(target, key);
  if (found === undefined) {
    throw new TsbkError('store-corrupt-write', `${name} was accepted and is not there`);
  }
  if (found.info.bytes !== expected.bytes) {
    const lengths = `${found.info.bytes} bytes instead of ${expected.bytes}`;
    throw new TsbkError('store-corrupt-write', `${name} has ${lengths} after it was written`);
  }
  const sameSum = found.crc32 === undefined || found.crc32 === expected.crc32;
  const sameTag = expected.etag === undefined || found.info.version === expected.etag;
  if (sameSum && sameTag) return;
  throw new TsbkError('store-corrupt-write', `${name} is not what was written`);
}

/** The header that makes of several writers at the same moment one. */
export function condition(target: S3Target, ifAbsent: boolean): { 'if-none-match'?: string } {
  const isNative = target.options.conditionalWrites !== 'check-first';
  return ifAbsent && isNative ? { 'if-none-match': '*' } : {};
}

/** For services without conditional writes; asks nothing where the service decides. */
export async function existsAlready(
  target: S3Target,
  key: string,
  options: CallOptions,
): Promise<boolean> {
  if (target.options.conditionalWrites !== 'check-first') return false;
  return (await head(target, key, options)) !== undefined;
}

/** 412 is an answer, not an error. */
export function unlessPreconditionFailed(error: unknown): undefined {
  if (!isS3Error(error, 'PreconditionFailed')) throw error;
}
