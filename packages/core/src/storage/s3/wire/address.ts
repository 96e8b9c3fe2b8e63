import { isIP } from 'node:net';
import { TsbkError } from '../../../kernel/errors.ts';
import { encodePath } from './sign.ts';

/** Where a bucket is. */
export interface BucketAddress {
  /** Protocol, host and port. */
  readonly url: URL;
  /** Before each key, encoded: empty, or the path that names the bucket. */
  readonly path: string;
  /** What requests are signed for. */
  readonly region: string;
}

export interface BucketPlace {
  readonly bucket: string;
  readonly region: string;
  /** Host or URL of the service; Amazon's of the region if absent. */
  readonly endpoint?: string | undefined;
  readonly forcePathStyle?: boolean | undefined;
  readonly dualStack?: boolean | undefined;
}

/**
 * The bucket's address: its name is a part of the host's where that can be, else the beginning of the
 * path. What the AWS SDK finds by its rules is the same, which a test holds. Throws `usage`.
 */
export function bucketAddress(place: BucketPlace): BucketAddress {
  const { bucket, region, endpoint, forcePathStyle = false } = place;
  requirePlainBucket(bucket);
  const url = endpoint === undefined ? amazonUrl(place) : customUrl(endpoint, place);
  const base = url.pathname.replace(/\/+$/, '');
  const isHost = !forcePathStyle && isIP(url.hostname.replace(/^\[|\]$/g, '')) === 0;
  if (isHost && canBeHost(bucket, url.protocol)) {
    const virtual = new URL(url);
    virtual.hostname = `${bucket}.${url.hostname}`;
    return { url: virtual, path: base, region };
  }
  return { url, path: `${base}/${encodePath(bucket)}`, region };
}

/** Access points and directory buckets have protocols of their own. */
function requirePlainBucket(bucket: string): void {
  if (!bucket.startsWith('arn:') && !bucket.endsWith('--x-s3')) return;
  throw new TsbkError('usage', `${bucket} is not a general purpose bucket`, {
    hint: 'Name an access point by its alias. Directory buckets (S3 Express) do not list in order and cannot be used.',
  });
}

function customUrl(endpoint: string, { dualStack = false }: BucketPlace): URL {
  if (dualStack) {
    throw new TsbkError('usage', 'an endpoint of your own is not of two stacks by a setting', {
      hint: 'Leave out S3_USE_DUALSTACK, or the endpoint.',
    });
  }
  const text = /^https?:\/\//i.test(endpoint) ? endpoint : `https://${endpoint}`;
  if (URL.canParse(text)) return new URL(text);
  throw new TsbkError('usage', `${JSON.stringify(endpoint)} is not the address of a service`, {
    hint: 'A host or a URL is needed: https://s3.example.com',
  });
}

/** Amazon's partitions by the beginning of the region's name. */
const SUFFIXES: readonly (readonly [string, string])[] = [
  ['cn-', 'amazonaws.com.cn'],
  ['us-iso-', 'c2s.ic.gov'],
  ['us-isob-', 'sc2s.sgov.gov'],
  ['us-isof-', 'csp.hci.ic.gov'],
  ['eu-isoe-', 'cloud.adc-e.uk'],
  ['eusc-', 'amazonaws.eu'],
];

function amazonUrl({ region, dualStack = false }: BucketPlace): URL {
  const suffix = SUFFIXES.find(([beginning]) => region.startsWith(beginning))?.[1];
  const host = `s3${dualStack ? '.dualstack' : ''}.${region}.${suffix ?? 'amazonaws.com'}`;
  // A region is a part of a host's name and nothing else.
  if (/^[a-z0-9-]+$/.test(region) && URL.canParse(`https://${host}`)) {
    return new URL(`https://${host}`);
  }
  throw new TsbkError('usage', `${JSON.stringify(region)} is not the name of a region`);
}

const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const HOST_BYTES_MIN = 3;

/** A certificate for all names below a host does not cover names with a dot in them. */
function canBeHost(bucket: string, protocol: string): boolean {
  if (bucket.length < HOST_BYTES_MIN || isIP(bucket) !== 0) return false;
  const labels = bucket.split('.');
  return (
    labels.every((label) => LABEL.test(label)) && (labels.length === 1 || protocol === 'http:')
  );
}
