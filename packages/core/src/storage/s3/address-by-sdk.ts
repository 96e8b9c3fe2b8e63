import { HeadBucketCommand, S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { TsbkError } from '../../kernel/errors.ts';
import type { Clock } from '../../ports/clock.ts';
import { createS3Client } from './client.ts';
import { REQUEST_TIMEOUT_MS, type S3Options } from './options.ts';
import { regionOfBucket } from './region.ts';
import { bucketAddress, type BucketAddress } from './wire/address.ts';

/** Any bucket can be asked for here; the answer names its region. */
const ANY_REGION = 'us-east-1';
/** Nothing is sent by their keys. */
const NOBODY = { accessKeyId: 'none', secretAccessKey: 'none' };

interface Context {
  readonly clock: Clock;
}

/**
 * Where the AWS SDK would send requests for the bucket, by its files and environment and its rules for
 * endpoints. If they name no region, AWS is asked where the bucket is.
 */
export async function addressBySdk(options: S3Options, context: Context): Promise<BucketAddress> {
  // It refuses those that this client cannot speak to.
  bucketAddress({ ...options, region: ANY_REGION });
  const { profile, region = '' } = options;
  const config: S3ClientConfig = {
    // Where the archive lies, our settings say alone (`configured-endpoint.ts`).
    ignoreConfiguredEndpointUrls: true,
    forcePathStyle: options.forcePathStyle ?? false,
    useDualstackEndpoint: options.dualStack ?? false,
    credentials: NOBODY,
    ...(profile === undefined ? {} : { profile }),
    ...(region === '' ? {} : { region }),
  };
  const named = await withClient(config, (client) => client.config.region().catch(() => undefined));
  const home = named ?? (await askedRegion(options, context)) ?? ANY_REGION;
  return await withClient({ ...config, region: home }, (client) => {
    return whereTo(client, options.bucket, home);
  });
}

async function askedRegion(options: S3Options, context: Context): Promise<string | undefined> {
  const { bucket, requestTimeoutMs = REQUEST_TIMEOUT_MS } = options;
  const client = await createS3Client({ ...options, region: ANY_REGION }, context);
  try {
    const signal = AbortSignal.timeout(requestTimeoutMs);
    return await regionOfBucket(client, { bucket, signal });
  } finally {
    client.destroy();
  }
}

async function withClient<T>(
  config: S3ClientConfig,
  use: (client: S3Client) => Promise<T>,
): Promise<T> {
  const client = new S3Client(config);
  try {
    return await use(client);
  } finally {
    client.destroy();
  }
}

/** Has the SDK make a request, and looks at where it would go. Nothing is sent. */
async function whereTo(client: S3Client, bucket: string, region: string): Promise<BucketAddress> {
  let address: BucketAddress | undefined;
  client.middlewareStack.add(
    () => async (args) => {
      const { protocol, hostname, port, path } = args.request as {
        readonly protocol: string;
        readonly hostname: string;
        readonly port?: number;
        readonly path: string;
      };
      const url = new URL(`${protocol}//${hostname}${port === undefined ? '' : `:${port}`}`);
      address = { url, path: path.replace(/\/+$/, ''), region };
      return { response: {}, output: { $metadata: {} } };
    },
    { step: 'build', name: 'tsbkAddress' },
  );
  await client.send(new HeadBucketCommand({ Bucket: bucket }));
  if (address !== undefined) return address;
  throw new TsbkError('store-failed', `the AWS SDK does not say where the bucket ${bucket} is`);
}
