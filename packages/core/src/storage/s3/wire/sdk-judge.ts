import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';

/** A request as the AWS SDK would send it. */
export interface SdkRequest {
  readonly method: string;
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
}

/** For tests: a client of the AWS SDK that sends nothing and shows what it would. */
export function sdkJudge(config: S3ClientConfig) {
  let last: SdkRequest | undefined;
  const handle = async (request: SdkRequest): Promise<unknown> => {
    last = request;
    return { response: { statusCode: 200, headers: {}, body: Readable.from([]) } };
  };
  const client = new S3Client({
    ...config,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    requestHandler: { handle } as never,
  });
  return {
    client,
    sent: (): SdkRequest => {
      assert.ok(last !== undefined, 'nothing was sent');
      return last;
    },
  };
}
