import { TsbkError } from '../../kernel/errors.ts';
import { checkKeyPrefix, checkObjectKey } from '../../kernel/object-key.ts';
import type { Clock } from '../../ports/clock.ts';
import type { S3Options } from './options.ts';
import type { S3Client } from './wire/s3-client.ts';

/** What every operation needs: the client, and where in which bucket the repository is. */
export interface S3Target {
  readonly client: S3Client;
  readonly bucket: string;
  /** Beginning of every key: empty, or a path that ends in `/`. */
  readonly root: string;
  /** `s3://bucket/path` */
  readonly url: string;
  readonly options: S3Options;
  readonly clock: Clock;
}

const KEY_BYTES_MAX = 1024;

/** The key in the bucket. Throws `unsafe-name` for what S3 cannot name. */
export function bucketKey(target: S3Target, key: string): string {
  checkObjectKey(key);
  const full = `${target.root}${key}`;
  if (Buffer.byteLength(full) <= KEY_BYTES_MAX) return full;
  throw new TsbkError('unsafe-name', `${key} is too long a name for S3 (1024 bytes)`);
}

/** The beginning of the bucket's keys below a folder. Throws `unsafe-name`. */
export function bucketPrefix(target: S3Target, prefix: string): string {
  checkKeyPrefix(prefix);
  return `${target.root}${prefix}`;
}

/** An object's name for messages. */
export function urlOf(target: S3Target, key: string): string {
  return `${target.url}/${key}`;
}
