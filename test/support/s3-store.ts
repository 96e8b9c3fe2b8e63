import { randomBytes } from 'node:crypto';
import type { S3Options } from '@tsbk/core/storage/s3/open';

/** Options for a fresh path in a test server's bucket. */
export function s3TestOptions(
  server: {
    readonly endpoint: string;
    readonly region: string;
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly bucket: string;
  },
  extra: Partial<S3Options> = {},
): S3Options {
  const { bucket, endpoint, region, accessKeyId, secretAccessKey } = server;
  const prefix = `tests/${randomBytes(8).toString('hex')} +%&/`;
  return {
    bucket,
    prefix,
    endpoint,
    region,
    accessKeyId,
    secretAccessKey,
    forcePathStyle: true,
    ...extra,
  };
}
