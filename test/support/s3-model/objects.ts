import { createHash, randomBytes } from 'node:crypto';
import { bucketOf, objectOf, type Answer, type Call } from './call.ts';
import { checkChecksums } from './checksums.ts';
import { accessDenied, invalidRequest, preconditionFailed, S3Failure } from './failure.ts';
import type { StoredObject } from './state.ts';
import {
  checkLockRequirement,
  checkQuota,
  checkWriteConditions,
  customerKeyMd5,
  keptHeaders,
} from './write-conditions.ts';
import { documentOf, element, elementsOf, text, textOf, xmlDocument } from './xml.ts';

export function putObject(call: Call): Answer {
  const bucket = bucketOf(call);
  const { body, headers } = call.payload;
  checkLockRequirement(call);
  const checksums = checkChecksums(body, headers);
  checkQuota(call, body.length);
  checkWriteConditions(call);
  const object: StoredObject = {
    body,
    etag: etagOf(body, headers),
    modified: new Date(),
    headers: keptHeaders(headers),
    checksums,
    customerKeyMd5: customerKeyMd5(headers),
  };
  bucket.objects.set(call.request.key, object);
  return { status: 200, headers: { etag: object.etag, ...checksumHeaders(checksums) } };
}

export function getObject(call: Call): Answer {
  const object = readable(call);
  const { body } = object;
  const range = call.request.headers['range'];
  if (range === undefined) {
    return { status: 200, headers: objectHeaders(call, object), body };
  }
  const [first, last] = rangeOf(range, body.length);
  const headers = {
    ...objectHeaders(call, { ...object, checksums: {} }),
    'content-range': `bytes ${first}-${last}/${body.length}`,
  };
  return { status: 206, headers, body: body.subarray(first, last + 1) };
}

export function headObject(call: Call): Answer {
  const object = readable(call);
  const length = String(object.body.length);
  return { status: 200, headers: { ...objectHeaders(call, object), 'content-length': length } };
}

export function deleteObject(call: Call): Answer {
  bucketOf(call).objects.delete(call.request.key);
  return { status: 204 };
}

export function deleteObjects(call: Call): Answer {
  const { body, headers } = call.payload;
  const bucket = bucketOf(call);
  const checksums = checkChecksums(body, headers);
  if (headers['content-md5'] === undefined && Object.keys(checksums).length === 0) {
    throw invalidRequest('Missing required header for this request: Content-MD5');
  }
  const document = documentOf(body, 'Delete');
  const keys = elementsOf(document, 'Object').map((object) => textOf(object, 'Key') ?? '');
  if (keys.length === 0 || keys.length > 1000) {
    throw new S3Failure(400, 'MalformedXML', `${keys.length} keys cannot be deleted at once`);
  }
  for (const key of keys) bucket.objects.delete(key);
  const isQuiet = textOf(document, 'Quiet') === 'true';
  const deleted = isQuiet ? [] : keys.map((key) => element('Deleted', text('Key', key)));
  return { status: 200, body: xmlDocument('DeleteResult', ...deleted) };
}

/** `x-amz-checksum-…` of an answer. */
export function checksumHeaders(
  checksums: Readonly<Record<string, string>>,
): Record<string, string> {
  const entries = Object.entries(checksums);
  return Object.fromEntries(entries.map(([name, value]) => [`x-amz-checksum-${name}`, value]));
}

/** MD5, except where S3 does not promise it: encrypted with a key that is not S3's own. */
export function etagOf(body: Buffer, headers: Readonly<Record<string, string>>): string {
  const isPlain =
    !(headers['x-amz-server-side-encryption'] ?? '').startsWith('aws:kms') &&
    headers['x-amz-server-side-encryption-customer-key'] === undefined;
  const digest = isPlain
    ? createHash('md5').update(body).digest('hex')
    : randomBytes(16).toString('hex');
  return `"${digest}"`;
}

function readable(call: Call): StoredObject {
  const object = objectOf(call);
  const { headers } = call.request;
  const given = customerKeyMd5(headers);
  if (object.customerKeyMd5 !== undefined && given === undefined) {
    throw invalidRequest('The object was stored using a form of Server Side Encryption');
  }
  if (given !== object.customerKeyMd5) throw accessDenied();
  const ifMatch = headers['if-match'];
  if (ifMatch !== undefined && ifMatch !== object.etag) throw preconditionFailed();
  return object;
}

function objectHeaders({ request }: Call, object: StoredObject): Record<string, string> {
  const wantsChecksum = request.headers['x-amz-checksum-mode'] === 'ENABLED';
  return {
    etag: object.etag,
    'last-modified': object.modified.toUTCString(),
    'accept-ranges': 'bytes',
    ...object.headers,
    ...(wantsChecksum ? checksumHeaders(object.checksums) : {}),
  };
}

function rangeOf(range: string, length: number): [number, number] {
  const [, from = '', to = ''] = /^bytes=(\d*)-(\d*)$/.exec(range) ?? [];
  const first = from === '' ? Math.max(0, length - Number(to)) : Number(from);
  const last = from === '' || to === '' ? length - 1 : Math.min(Number(to), length - 1);
  if ((from === '' && to === '') || first >= length || first > last) {
    throw new S3Failure(416, 'InvalidRange', 'The requested range is not satisfiable');
  }
  return [first, last];
}
