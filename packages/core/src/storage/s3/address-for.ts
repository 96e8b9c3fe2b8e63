import { access } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../../ports/clock.ts';
import type { S3Options } from './options.ts';
import { bucketAddress, type BucketAddress } from './wire/address.ts';

/** Most services that are not Amazon's do not care. */
const ANY_REGION = 'us-east-1';

/**
 * Where the bucket is, by the settings where those say all. Else the AWS SDK is loaded and asked: for
 * the region, and for what its files may say of endpoints. Throws `usage`, and what the SDK throws.
 */
export async function addressFor(
  options: S3Options,
  context: { readonly clock: Clock },
): Promise<BucketAddress> {
  const { endpoint, region = '' } = options;
  if (endpoint !== undefined) return bucketAddress({ ...options, region: region || ANY_REGION });
  if (region !== '' && options.asksSdk !== true && !(await hasConfigFile(options))) {
    return bucketAddress({ ...options, region });
  }
  const { addressBySdk } = await import('./address-by-sdk.ts');
  return await addressBySdk(options, context);
}

async function hasConfigFile({ configFile }: S3Options): Promise<boolean> {
  try {
    await access(configFile ?? join(homedir(), '.aws', 'config'));
    return true;
  } catch {
    return false;
  }
}
