import { hash } from 'node:crypto';
import { instantToMs } from '../../kernel/instant.ts';
import { customerKeyBytes, type S3Options } from './options.ts';
import type { S3Target } from './target.ts';

type Headers = Readonly<Record<string, string>>;

const SSE = 'x-amz-server-side-encryption';

/** What a new object is created with: storage class, encryption, object lock. */
export function writeSettings({ options, clock }: S3Target): Headers {
  const { storageClass, retentionPeriodS } = options;
  return {
    ...encryption(options),
    ...(storageClass === undefined ? {} : { 'x-amz-storage-class': storageClass }),
    ...(retentionPeriodS === undefined
      ? {}
      : {
          'x-amz-object-lock-mode': options.retentionMode ?? 'GOVERNANCE',
          'x-amz-object-lock-retain-until-date': new Date(
            instantToMs(clock.now()) + retentionPeriodS * 1000,
          ).toISOString(),
        }),
  };
}

/** The key of SSE-C, which each request for such an object must carry. */
export function customerKey({ sseCustomerKey }: S3Options): Headers {
  if (sseCustomerKey === undefined) return {};
  const key = customerKeyBytes(sseCustomerKey);
  return {
    [`${SSE}-customer-algorithm`]: 'AES256',
    [`${SSE}-customer-key`]: key.toString('base64'),
    [`${SSE}-customer-key-md5`]: hash('md5', key, 'base64'),
  };
}

function encryption(options: S3Options): Headers {
  const { sse, sseKmsId } = options;
  if (options.sseCustomerKey !== undefined) return customerKey(options);
  if (sse === undefined) return {};
  return { [SSE]: sse, ...(sseKmsId === undefined ? {} : { [`${SSE}-aws-kms-key-id`]: sseKmsId }) };
}
