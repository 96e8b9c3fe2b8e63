import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { Readable } from 'node:stream';
import {
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectsCommand,
  GetBucketLocationCommand,
  GetObjectCommand,
  HeadBucketCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
  type S3ClientConfig,
} from '@aws-sdk/client-s3';
import { startS3Model, type S3Model } from './support/s3-model/start.ts';

const Bucket = 'strict';
const SILENT = { debug() {}, info() {}, warn() {}, error() {} };
let model: S3Model;
let client: S3Client;

before(async () => {
  model = await startS3Model({
    buckets: [Bucket],
    region: 'eu-west-1',
    limits: { partBytesMin: 100 },
  });
  client = connect();
});

after(async () => {
  client.destroy();
  await model.close();
});

function connect(extra: S3ClientConfig = {}): S3Client {
  const { endpoint, region, accessKeyId, secretAccessKey } = model;
  return new S3Client({
    endpoint,
    region,
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
    maxAttempts: 1,
    logger: SILENT,
    ...extra,
  });
}

/** Asserts that S3's error is this one. */
async function answers(code: string, request: Promise<unknown>): Promise<void> {
  await assert.rejects(request, (error) => {
    assert.equal(error instanceof Error ? error.name : '', code);
    return true;
  });
}

/** Adds or changes headers after everything else, the signature among it, was made. */
function tampering(headers: Readonly<Record<string, string>>, body?: Buffer): S3Client {
  const other = connect();
  other.middlewareStack.add(
    (next) => (args) => {
      const { request } = args as { request: { headers: Record<string, string>; body: unknown } };
      Object.assign(request.headers, headers);
      if (body !== undefined) request.body = body;
      return next(args);
    },
    { step: 'finalizeRequest', priority: 'low', name: 'tampering' },
  );
  return other;
}

describe('the model believes no request', () => {
  const put = { Bucket, Key: 'a', Body: Buffer.from('hello') };

  it('with a wrong secret or key', async () => {
    const { accessKeyId, secretAccessKey } = model;
    const wrongSecret = connect({ credentials: { accessKeyId, secretAccessKey: 'wrong' } });
    await answers('SignatureDoesNotMatch', wrongSecret.send(new PutObjectCommand(put)));
    const wrongKey = connect({ credentials: { accessKeyId: 'nobody', secretAccessKey } });
    await answers('InvalidAccessKeyId', wrongKey.send(new PutObjectCommand(put)));
  });

  it('for another region', async () => {
    const elsewhere = connect({ region: 'us-west-2' });
    await answers('AuthorizationHeaderMalformed', elsewhere.send(new PutObjectCommand(put)));
  });

  it('of another time', async () => {
    const late = connect({ systemClockOffset: -3_600_000 });
    await answers('RequestTimeTooSkewed', late.send(new PutObjectCommand(put)));
  });

  it('without a signature', async () => {
    const response = await fetch(`${model.endpoint}/${Bucket}?list-type=2`);
    assert.equal(response.status, 403);
    assert.match(await response.text(), /AccessDenied/);
  });

  it('whose headers or body were changed on the way', async () => {
    const added = tampering({ 'x-amz-meta-added': 'later' });
    await answers('AccessDenied', added.send(new PutObjectCommand(put)));
    const changed = tampering({ 'x-amz-meta-mine': 'changed' });
    const command = new PutObjectCommand({ ...put, Metadata: { mine: 'original' } });
    await answers('SignatureDoesNotMatch', changed.send(command));
    const body = tampering({}, Buffer.from('jello'));
    await answers('XAmzContentSHA256Mismatch', body.send(new PutObjectCommand(put)));
  });

  it('whose checksums do not fit its body', async () => {
    const md5 = createHash('md5').update('other').digest('base64');
    await answers('BadDigest', client.send(new PutObjectCommand({ ...put, ContentMD5: md5 })));
    const crc = new PutObjectCommand({ ...put, ChecksumCRC32: 'AAAAAA==' });
    await answers('BadDigest', client.send(crc));
    const sha = new PutObjectCommand({
      ...put,
      ChecksumSHA256: createHash('sha256').digest('base64'),
    });
    await answers('BadDigest', client.send(sha));
    await answers('NoSuchKey', client.send(new GetObjectCommand({ Bucket, Key: 'a' })));
  });
});

describe('the model takes what the SDK sends', () => {
  it('with each checksum', async () => {
    for (const ChecksumAlgorithm of ['CRC32', 'CRC32C', 'SHA1', 'SHA256'] as const) {
      const input = { Bucket, Key: 'sum', Body: Buffer.from('hello'), ChecksumAlgorithm };
      await client.send(new PutObjectCommand(input));
    }
  });

  it('as a stream with a trailer, but not unsigned', async () => {
    const body = (): Readable => Readable.from([Buffer.alloc(70_000, 1), Buffer.alloc(10, 2)]);
    const input = {
      Bucket,
      Key: 'stream',
      ContentLength: 70_010,
      ChecksumAlgorithm: 'CRC32',
    } as const;
    await client.send(new PutObjectCommand({ ...input, Body: body() }));
    const got = await client.send(new GetObjectCommand({ Bucket, Key: 'stream' }));
    assert.equal((await got.Body?.transformToByteArray())?.length, 70_010);
    const unsigned = connect({ requestChecksumCalculation: 'WHEN_REQUIRED' });
    const command = new PutObjectCommand({ Bucket, Key: 'b', Body: body(), ContentLength: 70_010 });
    await answers('InvalidRequest', unsigned.send(command));
  });

  it('about buckets', async () => {
    await client.send(new CreateBucketCommand({ Bucket: 'another' }));
    await answers(
      'BucketAlreadyOwnedByYou',
      client.send(new CreateBucketCommand({ Bucket: 'another' })),
    );
    const head = await client.send(new HeadBucketCommand({ Bucket: 'another' }));
    assert.equal(head.BucketRegion, 'eu-west-1');
    const location = await client.send(new GetBucketLocationCommand({ Bucket: 'another' }));
    assert.equal(location.LocationConstraint, 'eu-west-1');
    await answers('NotFound', client.send(new HeadBucketCommand({ Bucket: 'nowhere' })));
  });

  it('to delete many objects at once', async () => {
    for (const Key of ['d/1', 'd/2', 'd/3'])
      await client.send(new PutObjectCommand({ Bucket, Key }));
    const Objects = [{ Key: 'd/1' }, { Key: 'd/3' }, { Key: 'd/none' }];
    const deleted = await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
    assert.equal(deleted.Deleted?.length, 3);
    const left = await client.send(new ListObjectsV2Command({ Bucket, Prefix: 'd/' }));
    assert.deepEqual(
      left.Contents?.map(({ Key }) => Key),
      ['d/2'],
    );
  });
});

describe('the model keeps the rules of uploads', () => {
  const Key = 'upload';

  async function begin(): Promise<string> {
    const command = new CreateMultipartUploadCommand({ Bucket, Key, ChecksumAlgorithm: 'CRC32' });
    return (await client.send(command)).UploadId ?? '';
  }

  async function part(UploadId: string, PartNumber: number, bytes: number) {
    const input = { Bucket, Key, UploadId, PartNumber, Body: Buffer.alloc(bytes, PartNumber) };
    const sent = await client.send(new UploadPartCommand({ ...input, ChecksumAlgorithm: 'CRC32' }));
    return { PartNumber, ETag: sent.ETag, ChecksumCRC32: sent.ChecksumCRC32 };
  }

  function complete(UploadId: string, Parts: Awaited<ReturnType<typeof part>>[]): Promise<unknown> {
    const input = { Bucket, Key, UploadId, MultipartUpload: { Parts } };
    return client.send(new CompleteMultipartUploadCommand(input));
  }

  it('each of them', async () => {
    const id = await begin();
    const one = await part(id, 1, 100);
    const two = await part(id, 2, 99);
    const three = await part(id, 3, 5);
    await answers('MalformedXML', complete(id, []));
    await answers('InvalidPartOrder', complete(id, [two, one]));
    await answers('InvalidPart', complete(id, [{ ...one, ETag: two.ETag }]));
    await answers('InvalidPart', complete(id, [{ ...one, PartNumber: 7 }]));
    await answers('InvalidPart', complete(id, [{ ...one, ChecksumCRC32: 'AAAAAA==' }]));
    await answers('InvalidRequest', complete(id, [{ ...one, ChecksumCRC32: undefined }]));
    await answers('EntityTooSmall', complete(id, [one, two, three]));
    await answers('NoSuchUpload', complete('none', [one]));
    await answers('InvalidArgument', part(id, 10_001, 5));
    await answers('NoSuchKey', client.send(new GetObjectCommand({ Bucket, Key })));
    const listed = await client.send(
      new ListPartsCommand({ Bucket, Key, UploadId: id, MaxParts: 2 }),
    );
    assert.deepEqual(
      listed.Parts?.map(({ Size }) => Size),
      [100, 99],
    );
    assert.equal(listed.IsTruncated, true);
    await complete(id, [one, two]);
    const got = await client.send(new GetObjectCommand({ Bucket, Key, ChecksumMode: 'ENABLED' }));
    assert.equal((await got.Body?.transformToByteArray())?.length, 199);
    assert.match(got.ETag ?? '', /-2"$/);
    assert.match(got.ChecksumCRC32 ?? '', /-2$/);
    await answers('NoSuchUpload', complete(id, [one, two]));
  });

  it('a checksum that was not announced among them', async () => {
    const command = new CreateMultipartUploadCommand({ Bucket, Key: 'plain' });
    const plain = connect({ requestChecksumCalculation: 'WHEN_REQUIRED' });
    const { UploadId } = await plain.send(command);
    const input = { Bucket, Key: 'plain', UploadId, PartNumber: 1, Body: Buffer.from('x') };
    const sent = client.send(new UploadPartCommand({ ...input, ChecksumAlgorithm: 'CRC32' }));
    await answers('InvalidRequest', sent);
  });
});

describe('the model decides about conditions', () => {
  it('of writes and reads', async () => {
    const put = { Bucket, Key: 'if', Body: Buffer.from('one') };
    const first = await client.send(new PutObjectCommand({ ...put, IfNoneMatch: '*' }));
    await answers(
      'PreconditionFailed',
      client.send(new PutObjectCommand({ ...put, IfNoneMatch: '*' })),
    );
    await answers(
      'NotImplemented',
      client.send(new PutObjectCommand({ ...put, IfNoneMatch: '"x"' })),
    );
    await answers(
      'PreconditionFailed',
      client.send(new PutObjectCommand({ ...put, IfMatch: '"x"' })),
    );
    const { ETag } = first;
    const read = (extra: object): Promise<unknown> =>
      client.send(new GetObjectCommand({ Bucket, Key: 'if', ...extra }));
    await answers('PreconditionFailed', read({ IfMatch: '"x"' }));
    await answers('InvalidRange', read({ Range: 'bytes=3-' }));
    await read({ IfMatch: ETag, Range: 'bytes=2-' });
    await client.send(new PutObjectCommand({ ...put, Body: Buffer.from('two'), IfMatch: ETag }));
  });

  it('that a bucket with object lock makes', async () => {
    model.state.modes.checksumRequired = true;
    const bare = connect({ requestChecksumCalculation: 'WHEN_REQUIRED' });
    const put = { Bucket, Key: 'lock', Body: Buffer.from('one') };
    await answers('InvalidRequest', bare.send(new PutObjectCommand(put)));
    await client.send(new PutObjectCommand(put));
    model.state.modes.checksumRequired = false;
  });

  it('late, if its lists lag behind', async () => {
    await client.send(new PutObjectCommand({ Bucket, Key: 'lag/a', Body: 'x' }));
    model.state.modes.listLagMs = 60_000;
    const list = new ListObjectsV2Command({ Bucket, Prefix: 'lag/' });
    assert.equal((await client.send(list)).KeyCount, 0);
    await client.send(new GetObjectCommand({ Bucket, Key: 'lag/a' }));
    model.state.modes.listLagMs = 0;
    assert.equal((await client.send(list)).KeyCount, 1);
  });
});
