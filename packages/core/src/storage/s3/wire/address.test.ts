/** The AWS SDK is the judge: it must send requests for the same bucket to the same place. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GetObjectCommand } from '@aws-sdk/client-s3';
import { isTsbkError } from '../../../kernel/errors.ts';
import { bucketAddress, type BucketPlace } from './address.ts';
import { sdkJudge } from './sdk-judge.ts';

async function bySdk({ bucket, region, ...place }: BucketPlace): Promise<string> {
  const { client, sent } = sdkJudge({
    region,
    forcePathStyle: place.forcePathStyle ?? false,
    useDualstackEndpoint: place.dualStack ?? false,
    ...(place.endpoint === undefined ? {} : { endpoint: place.endpoint }),
    credentials: { accessKeyId: 'a', secretAccessKey: 's' },
  });
  await client.send(new GetObjectCommand({ Bucket: bucket, Key: 'key' }));
  client.destroy();
  const { protocol, hostname, port, path } = sent();
  return `${protocol}//${hostname}${port === undefined ? '' : `:${port}`}${path}`;
}

function byUs(place: BucketPlace): string {
  const { url, path } = bucketAddress(place);
  return `${url.protocol}//${url.host}${path}/key`;
}

const BUCKETS = ['bucket', 'with.dots', 'Upper', 'under_score', 'ab3', '10.0.0.1'];
const ENDPOINTS = [
  undefined,
  'https://store.example',
  'http://store.example:9000',
  'https://store.example:8443/base/path',
  'http://127.0.0.1:9000',
  'http://[::1]:9000',
  'http://localhost:9000',
];
const REGIONS = [
  'us-east-1',
  'eu-central-1',
  'cn-north-1',
  'us-gov-west-1',
  'us-iso-east-1',
  'us-isob-east-1',
  'eusc-de-east-1',
];

describe('the address of a bucket', () => {
  for (const endpoint of ENDPOINTS) {
    it(`at ${endpoint ?? 'Amazon'} is where the AWS SDK looks for it`, async () => {
      for (const region of endpoint === undefined ? REGIONS : ['us-east-1']) {
        // At an address in numbers the SDK makes a host of a name with dots, and fails.
        const isNumeric = /127|::1/.test(endpoint ?? '');
        for (const bucket of BUCKETS.filter((name) => !isNumeric || !name.includes('.'))) {
          for (const forcePathStyle of [false, true]) {
            const place = { bucket, region, endpoint, forcePathStyle };
            assert.equal(byUs(place), await bySdk(place));
          }
        }
      }
    });
  }

  it('of two stacks is where the AWS SDK looks for it', async () => {
    for (const region of ['us-east-1', 'cn-north-1']) {
      const place = { bucket: 'bucket', region, dualStack: true };
      assert.equal(byUs(place), await bySdk(place));
    }
  });

  it('that needs another protocol, or cannot be one, is refused', () => {
    const region = 'us-east-1';
    const wrong: BucketPlace[] = [
      { bucket: 'arn:aws:s3:us-west-2:123456789012:accesspoint:name', region },
      { bucket: 'fast--use1-az4--x-s3', region },
      { bucket: 'bucket', region: 'evil.example/' },
      { bucket: 'bucket', region, endpoint: 'https://' },
      { bucket: 'bucket', region, endpoint: 'https://store.example', dualStack: true },
    ];
    for (const place of wrong) {
      assert.throws(
        () => bucketAddress(place),
        (error) => isTsbkError(error, 'usage'),
      );
    }
  });
});
