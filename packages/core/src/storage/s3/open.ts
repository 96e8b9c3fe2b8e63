import type { BlobStore, CallOptions, StoreLimits } from '../../ports/blob-store.ts';
import type { Clock } from '../../ports/clock.ts';
import { createS3Client } from './client.ts';
import { isS3Error } from './errors.ts';
import { exchange } from './exchange.ts';
import { getObject } from './get.ts';
import { head } from './head.ts';
import { listFolders, listObjects } from './list.ts';
import { beginMultipart } from './multipart.ts';
import { checkS3Options, type S3Options } from './options.ts';
import { putObject } from './put.ts';
import { bucketKey, urlOf, type S3Target } from './target.ts';
import { listMultiparts } from './unfinished.ts';

export type { S3Options } from './options.ts';

/** Amazon S3 user guide, "Amazon S3 multipart upload limits". */
const LIMITS: StoreLimits = {
  partBytesMin: 5 * 1024 ** 2,
  partBytesMax: 5 * 1024 ** 3,
  partsMax: 10_000,
  objectBytesMax: 5 * 1024 ** 4,
};

/**
 * A bucket, or a path in one, as a store. Every write carries a CRC-32 that the service checks, and
 * is looked at once more when it is done. Absence is believed only from S3 itself: from
 * `NoSuchKey`, or from a 404 while the bucket can be listed. The only entry of this folder, to be
 * loaded by `import()`. Throws `usage` for impossible options.
 */
export async function openS3Store(
  options: S3Options,
  { clock }: { readonly clock: Clock },
): Promise<BlobStore> {
  checkS3Options(options);
  const { bucket } = options;
  const path = options.prefix.replace(/^\/+|\/+$/g, '');
  const target: S3Target = {
    client: await createS3Client(options, { clock }),
    bucket,
    root: path === '' ? '' : `${path}/`,
    url: path === '' ? `s3://${bucket}` : `s3://${bucket}/${path}`,
    options,
    clock,
  };
  return {
    url: target.url,
    limits: { ...LIMITS, ...options.limits },
    stat: async (key, callOptions) => (await head(target, key, callOptions))?.info,
    // What S3 shows, it has acknowledged.
    confirm: async (key, callOptions) => (await head(target, key, callOptions)) !== undefined,
    get: (key, getOptions) => getObject(target, key, getOptions),
    put: (key, bytes, putOptions) => putObject(target, { key, bytes }, putOptions),
    upload: (key, putOptions) => beginMultipart(target, key, putOptions),
    list: (prefix, listOptions) => listObjects(target, prefix, listOptions),
    folders: (prefix, callOptions) => listFolders(target, prefix, callOptions),
    remove: (key, callOptions) => removeObject(target, key, callOptions),
    unfinished: (prefix, callOptions) => listMultiparts(target, prefix, callOptions),
    close: async () => target.client.destroy(),
  };
}

async function removeObject(target: S3Target, key: string, { signal }: CallOptions): Promise<void> {
  const full = bucketKey(target, key);
  const what = `cannot remove ${urlOf(target, key)}`;
  await exchange(target, { what, signal }, (abortSignal) =>
    target.client.send({ method: 'DELETE', key: full }, { abortSignal }).catch((error: unknown) => {
      if (!isS3Error(error, 'NoSuchKey')) throw error;
    }),
  );
}
