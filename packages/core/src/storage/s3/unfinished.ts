import {
  ListMultipartUploadsCommand,
  type ListMultipartUploadsCommandOutput,
  type MultipartUpload,
} from '@aws-sdk/client-s3';
import { TsbkError } from '../../kernel/errors.ts';
import { instantFromMs } from '../../kernel/instant.ts';
import { isObjectKey } from '../../kernel/object-key.ts';
import type { CallOptions, UnfinishedUpload } from '../../ports/blob-store.ts';
import { exchange } from './exchange.ts';
import { abortMultipart } from './multipart.ts';
import { bucketPrefix, type S3Target } from './target.ts';

/** Multipart uploads below a prefix that were neither completed nor aborted. */
export async function* listMultiparts(
  target: S3Target,
  prefix: string,
  { signal }: CallOptions,
): AsyncGenerator<UnfinishedUpload> {
  let marker: Marker | undefined = {};
  while (marker !== undefined) {
    const page = await uploadsPage(target, bucketPrefix(target, prefix), { marker, signal });
    for (const found of page.Uploads ?? []) {
      const upload = toUnfinished(target, found);
      if (upload !== undefined) yield upload;
    }
    marker = page.IsTruncated === true ? nextMarker(target, page, marker) : undefined;
  }
}

function toUnfinished(
  target: S3Target,
  { Key = '', UploadId, Initiated }: MultipartUpload,
): UnfinishedUpload | undefined {
  const key = Key.slice(target.root.length);
  if (!isObjectKey(key) || UploadId === undefined || Initiated === undefined) return undefined;
  return {
    key,
    started: instantFromMs(Initiated.getTime()),
    discard: (options) => abortMultipart(target, { key, Key, UploadId }, options),
  };
}

function nextMarker(
  target: S3Target,
  { NextKeyMarker, NextUploadIdMarker }: ListMultipartUploadsCommandOutput,
  before: Marker,
): Marker {
  if (NextKeyMarker !== before.KeyMarker || NextUploadIdMarker !== before.UploadIdMarker) {
    return { KeyMarker: NextKeyMarker, UploadIdMarker: NextUploadIdMarker };
  }
  throw new TsbkError('store-failed', `the uploads of ${target.url} do not come to an end`);
}

interface Marker {
  readonly KeyMarker?: string | undefined;
  readonly UploadIdMarker?: string | undefined;
}

function uploadsPage(
  target: S3Target,
  Prefix: string,
  { marker, signal }: { readonly marker: Marker; readonly signal: AbortSignal },
): Promise<ListMultipartUploadsCommandOutput> {
  const command = new ListMultipartUploadsCommand({ Bucket: target.bucket, Prefix, ...marker });
  const what = `cannot list the unfinished uploads of ${target.url}`;
  return exchange(target, { what, signal }, (abortSignal) =>
    target.client.send(command, { abortSignal }),
  );
}
