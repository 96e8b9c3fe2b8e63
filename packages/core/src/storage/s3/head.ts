import { TsbkError } from '../../kernel/errors.ts';
import { instantFromMs } from '../../kernel/instant.ts';
import type { BlobInfo, CallOptions } from '../../ports/blob-store.ts';
import { httpStatus, s3Error } from './errors.ts';
import { exchange } from './exchange.ts';
import { proveAbsent } from './prove-absent.ts';
import { bucketKey, urlOf, type S3Target } from './target.ts';
import { headerOf } from './wire/answer.ts';
import type { S3Answer } from './wire/s3-client.ts';
import { customerKey } from './write-settings.ts';

/** What S3 tells of an object: all that we look at. */
export interface Head {
  readonly info: BlobInfo;
  /** CRC-32 in base64, of the whole or (`…-N`) of its parts, if the service keeps one. */
  readonly crc32?: string;
  /** Who wrote it: see `multipart.ts`. */
  readonly writer?: string;
}

export const WRITER = 'tsbk-writer';

/** Asks for an object. `undefined` only if the bucket is there and the object is not. */
export async function head(
  target: S3Target,
  key: string,
  options: CallOptions,
): Promise<Head | undefined> {
  const answer = await request(target, key, options);
  if ('output' in answer) return toHead(key, answer.output.headers);
  await proveAbsent(target, key, options);
  // The list has answered as if all were well.
  if (answer.status !== 404) throw answer.error;
  return undefined;
}

type Answer = { readonly output: S3Answer } | { readonly status: number; readonly error: unknown };

/** Answers to HEAD have no body, so that these do not say what is wrong. */
const UNEXPLAINED: ReadonlySet<number> = new Set([301, 307, 400, 403, 404]);

function request(target: S3Target, key: string, { signal }: CallOptions): Promise<Answer> {
  const full = bucketKey(target, key);
  const headers = { 'x-amz-checksum-mode': 'ENABLED', ...customerKey(target.options) };
  const what = `cannot look for ${urlOf(target, key)}`;
  return exchange<Answer>(target, { what, signal }, async (abortSignal) => {
    try {
      return {
        output: await target.client.send({ method: 'HEAD', key: full, headers }, { abortSignal }),
      };
    } catch (error) {
      const status = httpStatus(error) ?? 0;
      if (!UNEXPLAINED.has(status)) throw error;
      return { status, error: s3Error(error, what) };
    }
  });
}

/** The port's view of what S3 answered. Throws `store-failed` if the answer lacks it. */
export function toInfo(
  key: string,
  found: {
    readonly bytes: number | undefined;
    /** A date in any form that `Date` reads. */
    readonly modified: string | undefined;
    readonly etag: string | undefined;
  },
): BlobInfo {
  const { bytes, etag } = found;
  const modifiedMs = Date.parse(found.modified ?? '');
  if (bytes === undefined || Number.isNaN(modifiedMs) || etag === undefined) {
    throw new TsbkError('store-failed', `the store does not say length, time and ETag of ${key}`, {
      hint: 'A proxy between here and the store may be removing headers.',
      // Or may have answered by itself, this once.
      retry: true,
    });
  }
  return { key, bytes, modified: instantFromMs(modifiedMs), version: etag };
}

/** What the headers of an answer say of the object. */
export function factsIn(headers: S3Answer['headers']) {
  const length = headerOf(headers, 'content-length') ?? '';
  return {
    bytes: /^\d+$/.test(length) ? Number(length) : undefined,
    modified: headerOf(headers, 'last-modified'),
    etag: headerOf(headers, 'etag'),
    crc32: headerOf(headers, 'x-amz-checksum-crc32'),
  };
}

function toHead(key: string, headers: S3Answer['headers']): Head {
  const { crc32, ...found } = factsIn(headers);
  const writer = headerOf(headers, `x-amz-meta-${WRITER}`);
  return {
    info: toInfo(key, found),
    ...(crc32 === undefined ? {} : { crc32 }),
    ...(writer === undefined ? {} : { writer }),
  };
}
