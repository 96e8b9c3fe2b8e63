import type { IncomingMessage } from 'node:http';
import { invalidRequest } from './failure.ts';

/** The head of a request, read as S3 reads it. */
export interface S3Request {
  readonly method: string;
  /** As sent, still escaped: the signature covers it. */
  readonly rawPath: string;
  readonly query: ReadonlyMap<string, string>;
  readonly headers: Readonly<Record<string, string>>;
  /** Empty for requests of no bucket. */
  readonly bucket: string;
  /** Empty for requests of a bucket. */
  readonly key: string;
  readonly operation: string;
}

/** Reads the head. Bucket names are in the path: the model knows no virtual hosts. */
export function readHead(message: IncomingMessage): S3Request {
  const [rawPath, rawQuery] = splitOnce(message.url ?? '/', '?');
  const [rawBucket, rawKey] = splitOnce(rawPath.slice(1), '/');
  const method = message.method ?? 'GET';
  const query = queryOf(rawQuery);
  const bucket = unescapePath(rawBucket);
  const key = unescapePath(rawKey);
  return {
    method,
    rawPath,
    query,
    headers: headersOf(message),
    bucket,
    key,
    operation: operationOf(method, key, query),
  };
}

/** Headers of which each must come once, in lower case. */
function headersOf(message: IncomingMessage): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(message.headers)) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(',') : value;
  }
  return headers;
}

function splitOnce(whole: string, separator: string): [string, string] {
  const at = whole.indexOf(separator);
  return at < 0 ? [whole, ''] : [whole.slice(0, at), whole.slice(at + 1)];
}

function queryOf(raw: string): Map<string, string> {
  const query = new Map<string, string>();
  for (const pair of raw.split('&').filter((part) => part !== '')) {
    const [name, value] = splitOnce(pair, '=');
    query.set(unescapePath(name), unescapePath(value));
  }
  return query;
}

function unescapePath(raw: string): string {
  try {
    return decodeURIComponent(raw);
  } catch {
    throw invalidRequest(`${raw} is not escaped as it should be`);
  }
}

/** Which operation of the S3 API this is; `Unknown` if the model has none. */
function operationOf(method: string, key: string, query: ReadonlyMap<string, string>): string {
  const level = key === '' ? BUCKET : OBJECT;
  for (const [wanted, parameter, operation] of level) {
    if (method !== wanted) continue;
    if (parameter === '' || query.has(parameter)) return operation;
  }
  return 'Unknown';
}

/** Method, query parameter that distinguishes it, name. The first that fits. */
const BUCKET = [
  ['GET', 'uploads', 'ListMultipartUploads'],
  ['GET', 'location', 'GetBucketLocation'],
  ['GET', 'list-type', 'ListObjectsV2'],
  ['GET', '', 'ListObjects'],
  ['HEAD', '', 'HeadBucket'],
  ['PUT', '', 'CreateBucket'],
  ['POST', 'delete', 'DeleteObjects'],
] as const;

const OBJECT = [
  ['PUT', 'partNumber', 'UploadPart'],
  ['PUT', '', 'PutObject'],
  ['GET', 'uploadId', 'ListParts'],
  ['GET', '', 'GetObject'],
  ['HEAD', '', 'HeadObject'],
  ['POST', 'uploads', 'CreateMultipartUpload'],
  ['POST', 'uploadId', 'CompleteMultipartUpload'],
  ['DELETE', 'uploadId', 'AbortMultipartUpload'],
  ['DELETE', '', 'DeleteObject'],
] as const;
