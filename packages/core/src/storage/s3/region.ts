import { HeadBucketCommand, S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { s3Error } from './errors.ts';
import type { S3Options } from './options.ts';

/** Any bucket can be asked for here; the answer names its region. */
const ANY_REGION = 'us-east-1';

/**
 * The region as named; `us-east-1` for a custom endpoint, most of which do not care; else what the
 * SDK finds in its files and environment; else AWS is asked where the bucket is, once.
 */
export function regionFor(
  options: S3Options,
  config: S3ClientConfig,
): string | (() => Promise<string>) {
  if (options.region !== undefined && options.region !== '') return options.region;
  if (options.endpoint !== undefined) return ANY_REGION;
  let region: Promise<string> | undefined;
  return async () => {
    region ??= findRegion(options, config);
    try {
      return await region;
    } catch (error) {
      region = undefined;
      throw error;
    }
  };
}

async function findRegion(options: S3Options, config: S3ClientConfig): Promise<string> {
  const { profile } = options;
  const plain = new S3Client(profile === undefined ? {} : { profile });
  try {
    return await plain.config.region();
  } catch {
    return await regionOfBucket(new S3Client({ ...config, region: ANY_REGION }), options.bucket);
  } finally {
    plain.destroy();
  }
}

/** Asks S3. Also a refusal names the region. Throws what `s3Error` makes of any other failure. */
export async function regionOfBucket(client: S3Client, bucket: string): Promise<string> {
  try {
    const head = await client.send(new HeadBucketCommand({ Bucket: bucket }));
    return head.BucketRegion ?? ANY_REGION;
  } catch (error) {
    const named = regionHeader(error);
    if (named !== undefined) return named;
    throw s3Error(error, `cannot find the region of the bucket ${bucket}`);
  }
}

function regionHeader(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('$response' in error)) return undefined;
  const { $response } = error as { $response?: { headers?: Record<string, string> } };
  return $response?.headers?.['x-amz-bucket-region'];
}
