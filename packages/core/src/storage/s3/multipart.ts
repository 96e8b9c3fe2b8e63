import { randomBytes } from 'node:crypto';
import { TsbkError } from '../../kernel/errors.ts';
import type {
  CallOptions,
  PutOptions,
  PutOutcome,
  Upload,
  UploadPart,
} from '../../ports/blob-store.ts';
import { compositeCrc32, crc32Of } from './crc32.ts';
import { isS3Error } from './errors.ts';
import { exchange } from './exchange.ts';
import { head, WRITER } from './head.ts';
import { condition, existsAlready, unlessPreconditionFailed, verifyStored } from './put.ts';
import { bucketKey, urlOf, type S3Target } from './target.ts';
import { documentOf, headerOf } from './wire/answer.ts';
import { encodeXml, textIn } from './wire/xml.ts';
import { customerKey, writeSettings } from './write-settings.ts';

/**
 * Begins a multipart upload. The object will carry a random `x-amz-meta-tsbk-writer`: whatever
 * became of the answer to the completing request, a look at the object tells whether it is ours.
 */
export async function beginMultipart(
  target: S3Target,
  key: string,
  { signal, ifAbsent = false }: PutOptions,
): Promise<Upload> {
  const full = bucketKey(target, key);
  const writer = randomBytes(16).toString('hex');
  const headers = {
    'x-amz-checksum-algorithm': 'CRC32',
    [`x-amz-meta-${WRITER}`]: writer,
    ...writeSettings(target),
  };
  const what = `cannot begin ${urlOf(target, key)}`;
  const uploadId = await exchange(target, { what, signal }, async (abortSignal) => {
    const request = { method: 'POST', key: full, query: { uploads: '' }, headers } as const;
    const answer = await target.client.send(request, { abortSignal });
    return textIn(documentOf(answer, 'InitiateMultipartUploadResult'), 'UploadId');
  });
  if (uploadId === undefined || uploadId === '') {
    throw new TsbkError('store-failed', `${what}: the answer has no upload id`, { retry: true });
  }
  const multipart: Multipart = { target, key, full, uploadId, writer, ifAbsent, sent: new Map() };
  let outcome: PutOutcome | undefined;
  return {
    part: (part, options) => sendPart(multipart, part, options),
    complete: async (options) => {
      outcome ??= await complete(multipart, options);
      return outcome;
    },
    abort: async (options) => {
      if (outcome !== 'stored') await abortMultipart(target, { key, full, uploadId }, options);
    },
  };
}

interface Multipart {
  readonly target: S3Target;
  readonly key: string;
  /** In the bucket. */
  readonly full: string;
  readonly uploadId: string;
  readonly writer: string;
  readonly ifAbsent: boolean;
  readonly sent: Map<number, SentPart>;
  /** Once S3 has said that the object is complete: asked again, it would know no such upload. */
  acknowledged?: { readonly etag: string | undefined };
}

interface SentPart {
  readonly number: number;
  readonly etag: string;
  readonly crc32: string;
  readonly offset: number;
  readonly bytes: number;
}

/** Frees what was sent. An upload that is gone is fine. */
export async function abortMultipart(
  target: S3Target,
  { key, full, uploadId }: Pick<Multipart, 'key' | 'full' | 'uploadId'>,
  { signal }: CallOptions,
): Promise<void> {
  const request = { method: 'DELETE', key: full, query: { uploadId } } as const;
  const what = `cannot abort the upload of ${urlOf(target, key)}`;
  await exchange(target, { what, signal }, (abortSignal) =>
    target.client.send(request, { abortSignal }).catch((error: unknown) => {
      if (!isS3Error(error, 'NoSuchUpload')) throw error;
    }),
  );
}

async function sendPart(
  multipart: Multipart,
  { number, offset, bytes }: UploadPart,
  { signal }: CallOptions,
): Promise<void> {
  const { target, full, uploadId } = multipart;
  const crc32 = crc32Of(bytes);
  const request = {
    method: 'PUT',
    key: full,
    query: { partNumber: `${number}`, uploadId },
    headers: {
      'content-type': 'application/octet-stream',
      'x-amz-checksum-crc32': crc32,
      ...customerKey(target.options),
    },
    body: bytes,
  } as const;
  const what = `cannot send part ${number} of ${urlOf(target, multipart.key)}`;
  const { headers } = await exchange(target, { what, signal, bytes: bytes.length }, (abortSignal) =>
    target.client.send(request, { abortSignal }),
  );
  const etag = headerOf(headers, 'etag');
  const told = headerOf(headers, 'x-amz-checksum-crc32');
  if (etag === undefined) {
    throw new TsbkError('store-failed', `${what}: the answer has no ETag`, { retry: true });
  }
  if (told !== undefined && told !== crc32) {
    throw new TsbkError('store-corrupt-write', `${what}: its checksum is not what was sent`);
  }
  multipart.sent.set(number, { number, etag, crc32, offset, bytes: bytes.length });
}

async function complete(multipart: Multipart, options: CallOptions): Promise<PutOutcome> {
  const { target, key, ifAbsent } = multipart;
  options.signal.throwIfAborted();
  const parts = partsInOrder(multipart);
  if (multipart.acknowledged === undefined) {
    if (ifAbsent && (await existsAlready(target, key, options))) return giveUp(multipart, options);
    const decided = await decide(multipart, parts, options);
    if (decided !== undefined) return decided;
  }
  const bytes = lengthOf(multipart);
  const crc32 = compositeCrc32(parts.map((part) => part.crc32));
  await verifyStored(target, key, { bytes, crc32, etag: multipart.acknowledged?.etag }, options);
  return 'stored';
}

/** Sends the request. The outcome, if it is clear without looking whether all is well. */
async function decide(
  multipart: Multipart,
  parts: readonly SentPart[],
  options: CallOptions,
): Promise<PutOutcome | undefined> {
  try {
    const output = await sendComplete(multipart, parts, options);
    if (output !== undefined) {
      multipart.acknowledged = output;
      return undefined;
    }
  } catch (error) {
    // The request may have done its work although its answer was lost, cut or an error.
    if (await isOurs(multipart, options).catch(() => false)) return 'stored';
    throw error;
  }
  return (await isOurs(multipart, options)) ? 'stored' : giveUp(multipart, options);
}

async function sendComplete(
  { target, key, full, uploadId, ifAbsent }: Multipart,
  parts: readonly SentPart[],
  { signal }: CallOptions,
): Promise<{ readonly etag: string } | undefined> {
  const request = {
    method: 'POST',
    key: full,
    query: { uploadId },
    headers: {
      'content-type': 'application/xml',
      ...customerKey(target.options),
      ...condition(target, ifAbsent),
    },
    body: Buffer.from(listOfParts(parts)),
  } as const;
  const what = `cannot complete ${urlOf(target, key)}`;
  return await exchange(target, { what, signal }, async (abortSignal) => {
    const sent = target.client.send(request, { abortSignal });
    const answer = await sent.catch(unlessPreconditionFailed);
    if (answer === undefined) return undefined;
    const etag = textIn(documentOf(answer, 'CompleteMultipartUploadResult'), 'ETag');
    if (etag !== undefined) return { etag };
    throw new TsbkError('store-failed', `${what}: the answer was cut`, { retry: true });
  });
}

function listOfParts(parts: readonly SentPart[]): string {
  const listed = parts.map(
    ({ number, etag, crc32 }) =>
      `<Part><ETag>${encodeXml(etag)}</ETag><ChecksumCRC32>${crc32}</ChecksumCRC32>` +
      `<PartNumber>${number}</PartNumber></Part>`,
  );
  const namespace = 'http://s3.amazonaws.com/doc/2006-03-01/';
  return `<CompleteMultipartUpload xmlns="${namespace}">${listed.join('')}</CompleteMultipartUpload>`;
}

/** Whether the object under the key is the one that this upload was to become, whole. */
async function isOurs(multipart: Multipart, options: CallOptions): Promise<boolean> {
  const found = await head(multipart.target, multipart.key, options);
  return found?.writer === multipart.writer && found.info.bytes === lengthOf(multipart);
}

/** What was sent is in vain. If it cannot be freed now, it is one more unfinished upload. */
async function giveUp({ target, ...upload }: Multipart, options: CallOptions): Promise<'exists'> {
  await abortMultipart(target, upload, options).catch(() => undefined);
  options.signal.throwIfAborted();
  return 'exists';
}

/** Throws `store-corrupt-write` if the parts overlap or leave a hole. */
function partsInOrder({ target, key, sent }: Multipart): readonly SentPart[] {
  const parts = [...sent.values()].toSorted((a, b) => a.number - b.number);
  let end = 0;
  for (const part of parts) {
    if (part.offset !== end) {
      throw new TsbkError(
        'store-corrupt-write',
        `part ${part.number} of ${urlOf(target, key)} begins at ${part.offset} instead of ${end}`,
        { retry: false },
      );
    }
    end += part.bytes;
  }
  return parts;
}

function lengthOf({ sent }: Multipart): number {
  let bytes = 0;
  for (const part of sent.values()) bytes += part.bytes;
  return bytes;
}
