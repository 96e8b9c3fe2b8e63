import { compareKeys } from '@tsbk/core/kernel/object-key';
import { bucketOf, numberOf, type Answer, type Call } from './call.ts';
import { S3Failure } from './failure.ts';
import type { StoredObject } from './state.ts';
import { element, text, xmlDocument } from './xml.ts';

export function listObjectsV2(call: Call): Answer {
  const { query } = call.request;
  const token = query.get('continuation-token');
  const after = token === undefined ? (query.get('start-after') ?? '') : fromToken(token);
  const page = pageAfter(call, after);
  const encode = encoderOf(call);
  return {
    status: 200,
    body: xmlDocument(
      'ListBucketResult',
      ...commonFields(call, page),
      text('KeyCount', page.items.length),
      text('ContinuationToken', token),
      text('NextContinuationToken', page.next === undefined ? undefined : toToken(page.next)),
      ...itemsOf(page, encode),
    ),
  };
}

export function listObjects(call: Call): Answer {
  const { query } = call.request;
  const page = pageAfter(call, query.get('marker') ?? '');
  const encode = encoderOf(call);
  const hasDelimiter = (query.get('delimiter') ?? '') !== '';
  const nextMarker = hasDelimiter && page.next !== undefined ? encode(page.next) : undefined;
  return {
    status: 200,
    body: xmlDocument(
      'ListBucketResult',
      ...commonFields(call, page),
      text('Marker', encode(query.get('marker') ?? '')),
      text('NextMarker', nextMarker),
      ...itemsOf(page, encode),
    ),
  };
}

export function listMultipartUploads(call: Call): Answer {
  const { query } = call.request;
  const prefix = query.get('prefix') ?? '';
  const keyMarker = query.get('key-marker') ?? '';
  const idMarker = query.get('upload-id-marker') ?? '';
  const most = numberOf(call, 'max-uploads', { least: 1, most: 1000, absent: 1000 });
  const after = [...bucketOf(call).uploads.values()]
    .filter(({ key }) => key.startsWith(prefix))
    .toSorted((a, b) => compareKeys(a.key, b.key) || compareKeys(a.id, b.id))
    .filter(({ key, id }) => {
      const order = compareKeys(key, keyMarker);
      return order > 0 || (order === 0 && idMarker !== '' && id > idMarker);
    });
  const page = after.slice(0, most);
  const encode = encoderOf(call);
  const body = xmlDocument(
    'ListMultipartUploadsResult',
    text('Bucket', call.request.bucket),
    text('IsTruncated', after.length > most),
    text('EncodingType', query.get('encoding-type')),
    text('NextKeyMarker', encode(page.at(-1)?.key ?? '')),
    text('NextUploadIdMarker', page.at(-1)?.id),
    ...page.map(({ key, id, begun }) =>
      element(
        'Upload',
        text('Key', encode(key)),
        text('UploadId', id),
        text('Initiated', begun.toISOString()),
      ),
    ),
  );
  return { status: 200, body };
}

/** An object, or all objects that share a prefix up to the delimiter. */
type Item =
  | { readonly kind: 'object'; readonly name: string; readonly object: StoredObject }
  | { readonly kind: 'prefix'; readonly name: string };

interface Page {
  readonly items: readonly Item[];
  /** Name of the last item, if there are more. */
  readonly next: string | undefined;
}

function pageAfter(call: Call, after: string): Page {
  const { query } = call.request;
  const prefix = query.get('prefix') ?? '';
  const delimiter = query.get('delimiter') ?? '';
  const most = numberOf(call, 'max-keys', { least: 0, most: 1_000_000, absent: 1000 });
  const items: Item[] = [];
  for (const [key, object] of visibleObjects(call)) {
    if (!key.startsWith(prefix)) continue;
    const item = itemOf(key, object, { prefix, delimiter });
    // A prefix that was given as the last item of a page must not come again.
    const isPast = item.kind === 'prefix' && after.startsWith(item.name) && after === item.name;
    if (isPast || compareKeys(key, after) <= 0 || items.at(-1)?.name === item.name) continue;
    items.push(item);
  }
  const page = items.slice(0, Math.min(most, 1000));
  return { items: page, next: items.length > page.length ? page.at(-1)?.name : undefined };
}

function visibleObjects(call: Call): [string, StoredObject][] {
  const newest = Date.now() - call.state.modes.listLagMs;
  return [...bucketOf(call).objects]
    .filter(([, object]) => object.modified.getTime() <= newest)
    .toSorted(([a], [b]) => compareKeys(a, b));
}

function itemOf(
  key: string,
  object: StoredObject,
  { prefix, delimiter }: { readonly prefix: string; readonly delimiter: string },
): Item {
  const end = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
  if (end < 0) return { kind: 'object', name: key, object };
  return { kind: 'prefix', name: key.slice(0, end + delimiter.length) };
}

type Encode = (name: string) => string;

function commonFields(call: Call, page: Page): (string | undefined)[] {
  const { query } = call.request;
  const encode = encoderOf(call);
  return [
    text('Name', call.request.bucket),
    text('Prefix', encode(query.get('prefix') ?? '')),
    text('Delimiter', query.get('delimiter')),
    text('EncodingType', query.get('encoding-type')),
    text('MaxKeys', query.get('max-keys') ?? 1000),
    text('IsTruncated', page.next !== undefined),
  ];
}

function itemsOf({ items }: Page, encode: Encode): string[] {
  return items.map((item) =>
    item.kind === 'prefix'
      ? element('CommonPrefixes', text('Prefix', encode(item.name)))
      : element(
          'Contents',
          text('Key', encode(item.name)),
          text('LastModified', item.object.modified.toISOString()),
          text('ETag', item.object.etag),
          text('Size', item.object.body.length),
          text('StorageClass', item.object.headers['x-amz-storage-class'] ?? 'STANDARD'),
        ),
  );
}

function encoderOf({ request }: Call): Encode {
  const encoding = request.query.get('encoding-type');
  if (encoding === undefined) return (name) => name;
  if (encoding !== 'url') throw new S3Failure(400, 'InvalidArgument', 'Invalid Encoding Method');
  return (name) => encodeURIComponent(name).replaceAll('%20', '+').replaceAll('%2F', '/');
}

function toToken(name: string): string {
  return Buffer.from(name).toString('base64url');
}

function fromToken(token: string): string {
  return Buffer.from(token, 'base64url').toString();
}
