import { s3Error } from './errors.ts';
import { headerOf } from './wire/answer.ts';
import { S3Failure } from './wire/failure.ts';
import type { S3Client } from './wire/s3-client.ts';

/**
 * The region of the client's bucket, which S3 names wherever it is asked, also by a refusal. Throws what
 * `s3Error` makes of any other failure.
 */
export async function regionOfBucket(
  client: S3Client,
  { bucket, signal }: { readonly bucket: string; readonly signal: AbortSignal },
): Promise<string | undefined> {
  try {
    const { headers } = await client.send({ method: 'HEAD' }, { abortSignal: signal });
    return headerOf(headers, REGION_HEADER);
  } catch (error) {
    if (error instanceof S3Failure && error.region !== undefined) return error.region;
    throw s3Error(error, `cannot find the region of the bucket ${bucket}`);
  }
}

const REGION_HEADER = 'x-amz-bucket-region';
