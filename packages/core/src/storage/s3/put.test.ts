import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isTsbkError } from '../../kernel/errors.ts';
import { instantFromMs } from '../../kernel/instant.ts';
import { crc32Of } from './crc32.ts';
import { verifyStored } from './put.ts';
import type { S3Target } from './target.ts';
import { answering } from './wire/answering.ts';

const { signal } = new AbortController();
const content = Buffer.from('content');
const crc32 = crc32Of(content);
const expected = { bytes: content.length, crc32, etag: '"e"' };

/** A service that has this under every name. */
function having(found: {
  readonly ContentLength?: number;
  readonly ETag?: string;
  readonly ChecksumCRC32?: string;
}): S3Target {
  const { ContentLength = content.length, ETag = '"e"', ChecksumCRC32 } = found;
  const headers = {
    'content-length': `${ContentLength}`,
    etag: ETag,
    'last-modified': new Date(0).toUTCString(),
    ...(ChecksumCRC32 === undefined ? {} : { 'x-amz-checksum-crc32': ChecksumCRC32 }),
  };
  return {
    client: answering(() => ({ headers })),
    bucket: 'b',
    root: '',
    url: 's3://b',
    options: { bucket: 'b', prefix: '' },
    clock: { now: () => instantFromMs(0), monotonicMs: () => 0, sleep: async () => {} },
  };
}

async function isRefused(target: S3Target): Promise<void> {
  await assert.rejects(verifyStored(target, 'k', expected, { signal }), (error) =>
    isTsbkError(error, 'store-corrupt-write'),
  );
}

describe('what is stored', () => {
  it('is what was sent if length, tag and checksum agree', async () => {
    await verifyStored(having({ ChecksumCRC32: crc32 }), 'k', expected, { signal });
  });

  it('is believed without a checksum where the service keeps none', async () => {
    await verifyStored(having({}), 'k', expected, { signal });
  });

  it('is refused if its length is another, whatever else is said', async () => {
    await isRefused(having({ ContentLength: content.length - 1, ChecksumCRC32: crc32 }));
  });

  it('is refused if its checksum is another, whatever else is said', async () => {
    await isRefused(having({ ChecksumCRC32: crc32Of(Buffer.from('CONTENT')) }));
  });

  it('is refused if it is not the version that was acknowledged', async () => {
    await isRefused(having({ ETag: '"f"' }));
  });
});
