import { TsbkError } from '../../kernel/errors.ts';
import type { StoreLimits } from '../../ports/blob-store.ts';

/** Where an S3 repository is and how to speak to it. Plain values: they cross thread boundaries. */
export interface S3Options {
  readonly bucket: string;
  /** Path in the bucket; slashes at its ends do not count. */
  readonly prefix: string;
  /** Host or URL of the service; AWS if absent. Without a scheme it is `https`. */
  readonly endpoint?: string | undefined;
  /** Default: `us-east-1` with an endpoint, else what the SDK is configured to, else found out. */
  readonly region?: string | undefined;
  readonly forcePathStyle?: boolean | undefined;
  readonly dualStack?: boolean | undefined;
  /** Whether the environment says something of endpoints that only the AWS SDK understands. */
  readonly asksSdk?: boolean | undefined;
  /** Used only together with the secret; else the SDK's chain of providers applies. */
  readonly accessKeyId?: string | undefined;
  readonly secretAccessKey?: string | undefined;
  readonly sessionToken?: string | undefined;
  readonly profile?: string | undefined;
  readonly configFile?: string | undefined;
  readonly sharedCredentialsFile?: string | undefined;
  /**
   * A role to assume with those credentials. Leave it out where a web identity token is
   * configured (`AWS_WEB_IDENTITY_TOKEN_FILE`): there the SDK's chain assumes it.
   */
  readonly roleArn?: string | undefined;
  readonly roleSessionName?: string | undefined;
  readonly storageClass?: string | undefined;
  /** `AES256` or `aws:kms`. */
  readonly sse?: string | undefined;
  readonly sseKmsId?: string | undefined;
  /** 32 bytes, as they are or in base64 (SSE-C). */
  readonly sseCustomerKey?: string | undefined;
  /** Certificates (PEM) to trust instead of those that Node.js brings. */
  readonly caCertFile?: string | undefined;
  readonly additionalHeaders?: Readonly<Record<string, string>> | undefined;
  readonly useListObjectsV1?: boolean | undefined;
  /** Keys asked for in one list request; the service's default if absent. */
  readonly listPageKeys?: number | undefined;
  /** Object lock of what is written, in seconds from now. */
  readonly retentionPeriodS?: number | undefined;
  readonly retentionMode?: 'GOVERNANCE' | 'COMPLIANCE' | undefined;
  /**
   * `native`: the service decides whether an object exists (`If-None-Match`). `check-first`: for
   * services that cannot, we look before we write, and two writers at the same moment both win.
   */
  readonly conditionalWrites?: 'native' | 'check-first' | undefined;
  /** Time without any progress after which a request is given up. Default 60 s. */
  readonly requestTimeoutMs?: number | undefined;
  /** Default 10 s. */
  readonly connectTimeoutMs?: number | undefined;
  /** For services whose limits are not those of AWS. */
  readonly limits?: Partial<StoreLimits> | undefined;
}

export const REQUEST_TIMEOUT_MS = 60_000;
export const CONNECT_TIMEOUT_MS = 10_000;

/** Throws `usage` for values that cannot work together or at all. */
export function checkS3Options(options: S3Options): void {
  if (options.bucket === '') throw new TsbkError('usage', 'the S3 prefix names no bucket');
  checkEncryption(options);
  const { retentionPeriodS: period } = options;
  if (period !== undefined && !(period > 0)) {
    throw new TsbkError('usage', `an object lock of ${period} seconds is not possible`);
  }
}

function checkEncryption({ sse, sseKmsId, sseCustomerKey }: S3Options): void {
  if (sse !== undefined && sse !== 'AES256' && sse !== 'aws:kms' && sse !== 'aws:kms:dsse') {
    throw new TsbkError('usage', `${sse} is no server-side encryption (AES256, aws:kms)`);
  }
  if ((sse?.startsWith('aws:kms') ?? false) !== (sseKmsId !== undefined)) {
    throw new TsbkError(
      'usage',
      'a KMS key id and server-side encryption aws:kms need each other',
      {
        hint: 'Set both WALG_S3_SSE=aws:kms and WALG_S3_SSE_KMS_ID, or neither.',
      },
    );
  }
  if (sseCustomerKey === undefined) return;
  if (sse !== undefined && sse !== 'AES256') {
    throw new TsbkError('usage', `a customer key cannot be used together with ${sse}`);
  }
  if (customerKeyBytes(sseCustomerKey).length !== 32) {
    throw new TsbkError('usage', 'the customer key for S3 encryption must have 32 bytes');
  }
}

/** A customer key, which is given as it is or in base64. */
export function customerKeyBytes(key: string): Buffer {
  return /^[A-Za-z0-9+/]{43}=$/.test(key) ? Buffer.from(key, 'base64') : Buffer.from(key);
}
