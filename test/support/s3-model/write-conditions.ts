import { createHash } from 'node:crypto';
import { bucketOf, type Call } from './call.ts';
import { invalidRequest, preconditionFailed, S3Failure } from './failure.ts';
import { storedBytes } from './state.ts';

/** `If-None-Match: *` and `If-Match` of a write (S3 user guide, "Conditional writes"). */
export function checkWriteConditions(call: Call): void {
  const { headers } = call.payload;
  const ifNoneMatch = headers['if-none-match'];
  const ifMatch = headers['if-match'];
  if (ifNoneMatch === undefined && ifMatch === undefined) return;
  const { conditionalWrites } = call.state.modes;
  if (conditionalWrites === 'ignored') return;
  if (conditionalWrites === 'not-implemented' || (ifNoneMatch ?? '*') !== '*') {
    throw new S3Failure(
      501,
      'NotImplemented',
      'A header you provided implies functionality that is not implemented',
    );
  }
  const existing = bucketOf(call).objects.get(call.request.key);
  if (ifNoneMatch !== undefined && existing !== undefined) throw preconditionFailed();
  if (ifMatch === undefined) return;
  if (existing === undefined) {
    throw new S3Failure(404, 'NoSuchKey', 'The specified key does not exist.');
  }
  if (existing.etag !== ifMatch) throw preconditionFailed();
}

/** Throws `QuotaExceeded` if so many more bytes do not fit. */
export function checkQuota({ state }: Call, bytes: number): void {
  if (storedBytes(state) + bytes <= state.modes.quotaBytes) return;
  throw new S3Failure(403, 'QuotaExceeded', 'The quota of the bucket is used up');
}

/** In a bucket with object lock a write must say what it is. */
export function checkLockRequirement({ state, payload }: Call): void {
  if (!state.modes.checksumRequired) return;
  const names = Object.keys(payload.headers);
  const hasSum = names.some((name) => /^(?:content-md5|x-amz-checksum-(?:crc|sha).*)$/.test(name));
  if (!hasSum) throw invalidRequest('Content-MD5 or x-amz-checksum- HTTP header is required');
}

/** MD5 of the key of SSE-C, `undefined` without one. Throws for one that cannot be. */
export function customerKeyMd5(headers: Readonly<Record<string, string>>): string | undefined {
  const key = headers['x-amz-server-side-encryption-customer-key'];
  if (key === undefined) return undefined;
  const bytes = Buffer.from(key, 'base64');
  const md5 = createHash('md5').update(bytes).digest('base64');
  const algorithm = headers['x-amz-server-side-encryption-customer-algorithm'];
  if (
    algorithm !== 'AES256' ||
    bytes.length !== 32 ||
    headers['x-amz-server-side-encryption-customer-key-md5'] !== md5
  ) {
    throw new S3Failure(400, 'InvalidArgument', 'The customer key is not one');
  }
  return md5;
}

/** Headers of a write that a read gives back. */
export function keptHeaders(
  headers: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const kept =
    /^(?:x-amz-meta-.+|content-type|x-amz-storage-class|x-amz-object-lock-.+|x-amz-server-side-encryption(?:-aws-kms-key-id|-customer-algorithm|-customer-key-md5)?)$/;
  return Object.fromEntries(Object.entries(headers).filter(([name]) => kept.test(name)));
}
