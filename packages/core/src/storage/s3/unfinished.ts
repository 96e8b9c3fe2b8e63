import { TsbkError } from '../../kernel/errors.ts';
import { instantFromMs } from '../../kernel/instant.ts';
import { isObjectKey } from '../../kernel/object-key.ts';
import type { CallOptions, UnfinishedUpload } from '../../ports/blob-store.ts';
import { exchange } from './exchange.ts';
import { abortMultipart } from './multipart.ts';
import { bucketPrefix, type S3Target } from './target.ts';
import { documentOf } from './wire/answer.ts';
import { childrenOf, textIn, type XmlElement } from './wire/xml.ts';

/** Multipart uploads below a prefix that were neither completed nor aborted. */
export async function* listMultiparts(
  target: S3Target,
  prefix: string,
  { signal }: CallOptions,
): AsyncGenerator<UnfinishedUpload> {
  let marker: Marker | undefined = {};
  while (marker !== undefined) {
    const page = await uploadsPage(target, bucketPrefix(target, prefix), { marker, signal });
    for (const found of childrenOf(page, 'Upload')) {
      const upload = toUnfinished(target, found);
      if (upload !== undefined) yield upload;
    }
    marker = textIn(page, 'IsTruncated') === 'true' ? nextMarker(target, page, marker) : undefined;
  }
}

function toUnfinished(target: S3Target, upload: XmlElement): UnfinishedUpload | undefined {
  const full = textIn(upload, 'Key') ?? '';
  const uploadId = textIn(upload, 'UploadId');
  const startedMs = Date.parse(textIn(upload, 'Initiated') ?? '');
  const key = full.slice(target.root.length);
  if (!isObjectKey(key) || uploadId === undefined || Number.isNaN(startedMs)) return undefined;
  return {
    key,
    started: instantFromMs(startedMs),
    discard: (options) => abortMultipart(target, { key, full, uploadId }, options),
  };
}

function nextMarker(target: S3Target, page: XmlElement, before: Marker): Marker {
  const key = textIn(page, 'NextKeyMarker');
  const uploadId = textIn(page, 'NextUploadIdMarker');
  if (key !== before.key || uploadId !== before.uploadId) return { key, uploadId };
  throw new TsbkError('store-failed', `the uploads of ${target.url} do not come to an end`);
}

interface Marker {
  readonly key?: string | undefined;
  readonly uploadId?: string | undefined;
}

function uploadsPage(
  target: S3Target,
  prefix: string,
  { marker, signal }: { readonly marker: Marker; readonly signal: AbortSignal },
): Promise<XmlElement> {
  const query = {
    uploads: '',
    prefix,
    'key-marker': marker.key,
    'upload-id-marker': marker.uploadId,
  };
  const what = `cannot list the unfinished uploads of ${target.url}`;
  return exchange(target, { what, signal }, async (abortSignal) => {
    const answer = await target.client.send({ method: 'GET', query }, { abortSignal });
    return documentOf(answer, 'ListMultipartUploadsResult');
  });
}
