import { TsbkError } from '../../kernel/errors.ts';
import type { Blob, BlobInfo, GetOptions } from '../../ports/blob-store.ts';
import { sourceOf } from '../../stream/source.ts';
import { bodyOf, destroyBody } from './body.ts';
import { httpStatus, isS3Error } from './errors.ts';
import { exchange } from './exchange.ts';
import { factsIn, head, toInfo } from './head.ts';
import { proveAbsent } from './prove-absent.ts';
import { bucketKey, urlOf, type S3Target } from './target.ts';
import { headerOf } from './wire/answer.ts';
import type { S3Answer } from './wire/s3-client.ts';
import { customerKey } from './write-settings.ts';

/** Opens an object, `undefined` only if S3 says that it does not exist. */
export async function getObject(
  target: S3Target,
  key: string,
  options: GetOptions,
): Promise<Blob | undefined> {
  const answer = await request(target, key, options);
  switch (answer) {
    case 'absent':
      return undefined;
    case 'unproven':
      await proveAbsent(target, key, options);
      return undefined;
    case 'replaced':
      throw replaced(target, key);
    case 'nothing-there':
      return emptyRest(target, key, options);
    default:
      return open(target, answer, { key, options });
  }
}

type Answer = S3Answer | 'absent' | 'unproven' | 'replaced' | 'nothing-there';

function request(target: S3Target, key: string, options: GetOptions): Promise<Answer> {
  const { version, signal } = options;
  const full = bucketKey(target, key);
  const headers = {
    range: rangeOf(options),
    'if-match': version,
    'x-amz-checksum-mode': 'ENABLED',
    ...customerKey(target.options),
  };
  const what = `cannot get ${urlOf(target, key)}`;
  return exchange<Answer>(target, { what, signal }, (abortSignal) =>
    target.client
      .send({ method: 'GET', key: full, headers, streams: true }, { abortSignal })
      .catch(answerOf),
  );
}

function rangeOf({ from = 0, until }: GetOptions): string | undefined {
  if (from === 0 && until === undefined) return undefined;
  return `bytes=${from}-${until === undefined ? '' : until - 1}`;
}

function answerOf(error: unknown): Answer {
  if (isS3Error(error, 'NoSuchKey')) return 'absent';
  if (isS3Error(error, 'NoSuchBucket')) throw error;
  const status = httpStatus(error);
  // A 404 that does not say so itself need not come from S3.
  if (status === 404) return 'unproven';
  if (status === 412) return 'replaced';
  if (status === 416) return 'nothing-there';
  throw error;
}

/** S3 has no answer for a range that begins at the very end. */
async function emptyRest(
  target: S3Target,
  key: string,
  options: GetOptions,
): Promise<Blob | undefined> {
  const found = await head(target, key, options);
  if (found === undefined) return undefined;
  const { info } = found;
  const { from = 0, version } = options;
  const isSame = version === undefined || version === info.version;
  if (!isSame || from !== info.bytes) throw replaced(target, key);
  return { info, body: sourceOf() };
}

function open(
  target: S3Target,
  answer: S3Answer,
  { key, options }: { readonly key: string; readonly options: GetOptions },
): Blob {
  const { from = 0, until = Infinity, signal } = options;
  try {
    const facts = factsIn(answer.headers);
    const bytes = totalLength(target, answer, { key, options });
    const info = toInfo(key, { ...facts, bytes });
    const name = urlOf(target, key);
    const end = Math.min(until, info.bytes);
    const crc32 = from === 0 && end === info.bytes ? facts.crc32 : undefined;
    const body = bodyOf(answer.body, { name, from, end, crc32 }, target, signal);
    return { info, body };
  } catch (error) {
    destroyBody(answer.body);
    throw error;
  }
}

/** Length of the whole object, of which the answer may be a part. */
function totalLength(
  target: S3Target,
  { headers }: S3Answer,
  { key, options }: { readonly key: string; readonly options: GetOptions },
): BlobInfo['bytes'] | undefined {
  const { from = 0, until = Infinity } = options;
  const length = factsIn(headers).bytes;
  const range = headerOf(headers, 'content-range');
  // All of the object, which is what was asked for.
  const isWhole = from === 0 && range === undefined;
  if (isWhole && (length ?? 0) <= until) return length;
  const total = totalOf(range, { from, until });
  if (total !== undefined) return total;
  const asked = until === Infinity ? `from ${from}` : `${from} to ${until - 1}`;
  throw new TsbkError(
    'store-failed',
    `${urlOf(target, key)}: asked for the bytes ${asked}, got ${range ?? 'all of them'}`,
    { retry: true },
  );
}

/** Length of the object by a `Content-Range`; `undefined` if that is not what was asked for. */
function totalOf(
  contentRange: string | undefined,
  { from, until }: { readonly from: number; readonly until: number },
): number | undefined {
  const range = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(contentRange ?? '');
  const [first, last, total = -1] = (range?.slice(1) ?? []).map(Number);
  return first === from && last === Math.min(until, total) - 1 ? total : undefined;
}

function replaced(target: S3Target, key: string): TsbkError {
  return new TsbkError('object-corrupt', `${urlOf(target, key)} was replaced while it was read`);
}
