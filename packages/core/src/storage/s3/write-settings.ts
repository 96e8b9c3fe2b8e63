import type { PutObjectCommandInput } from '@aws-sdk/client-s3';
import { instantToMs } from '../../kernel/instant.ts';
import type { S3Options } from './options.ts';
import type { S3Target } from './target.ts';

type CustomerKey = Pick<PutObjectCommandInput, 'SSECustomerAlgorithm' | 'SSECustomerKey'>;

type WriteSettings = CustomerKey &
  Pick<
    PutObjectCommandInput,
    | 'StorageClass'
    | 'ServerSideEncryption'
    | 'SSEKMSKeyId'
    | 'ObjectLockMode'
    | 'ObjectLockRetainUntilDate'
  >;

/** What a new object is created with: storage class, encryption, object lock. */
export function writeSettings({ options, clock }: S3Target): WriteSettings {
  const { storageClass, retentionPeriodS } = options;
  return {
    ...encryption(options),
    ...(storageClass === undefined
      ? {}
      : { StorageClass: storageClass as Exclude<WriteSettings['StorageClass'], undefined> }),
    ...(retentionPeriodS === undefined
      ? {}
      : {
          ObjectLockMode: options.retentionMode ?? 'GOVERNANCE',
          ObjectLockRetainUntilDate: new Date(instantToMs(clock.now()) + retentionPeriodS * 1000),
        }),
  };
}

/** The key of SSE-C, which each request for such an object must carry. */
export function customerKey({ sseCustomerKey }: S3Options): CustomerKey {
  if (sseCustomerKey === undefined) return {};
  return { SSECustomerAlgorithm: 'AES256', SSECustomerKey: sseCustomerKey };
}

function encryption(options: S3Options): WriteSettings {
  const { sse, sseKmsId } = options;
  if (options.sseCustomerKey !== undefined) return customerKey(options);
  if (sse === undefined) return {};
  return {
    ServerSideEncryption: sse as Exclude<WriteSettings['ServerSideEncryption'], undefined>,
    ...(sseKmsId === undefined ? {} : { SSEKMSKeyId: sseKmsId }),
  };
}
