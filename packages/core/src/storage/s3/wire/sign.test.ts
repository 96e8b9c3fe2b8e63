/** The AWS SDK is the judge: what it sends for the same request must carry the same signature. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import fc from 'fast-check';
import { sdkJudge, type SdkRequest } from './sdk-judge.ts';
import { encodePath, encodeQuery, signed, signingTime } from './sign.ts';

const identity = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfi' };
const region = 'eu-central-1';

function judge(sessionToken?: string) {
  return sdkJudge({
    region,
    credentials: { ...identity, ...(sessionToken === undefined ? {} : { sessionToken }) },
    endpoint: 'https://store.example:9000',
    forcePathStyle: true,
  });
}

function sameSignature(
  { method, path, query, headers }: SdkRequest,
  body: Uint8Array | undefined,
): void {
  const { authorization, 'x-amz-date': time = '', ...rest } = headers;
  const { 'x-amz-content-sha256': bodyHash, 'x-amz-security-token': sessionToken, ...given } = rest;
  // Of what the SDK sends it leaves some unsigned.
  const listed = /SignedHeaders=([^,]+)/.exec(authorization ?? '')?.[1]?.split(';') ?? [];
  const unsigned = Object.fromEntries(
    Object.entries(given).filter(([name]) => listed.includes(name.toLowerCase())),
  );
  const ours = signed(
    { method, path, query: encodeQuery(query), headers: unsigned, body },
    { identity: { ...identity, sessionToken }, region, time },
  );
  assert.equal(ours['x-amz-content-sha256'], bodyHash);
  assert.equal(ours['authorization'], authorization);
}

const key = fc
  .string({
    unit: fc.constantFrom(...Array.from('az09-_.~!*\'()+ =&?#%"<>@:,;$é€/')),
    minLength: 1,
  })
  .filter((text) => !text.startsWith('/') && !/(?:^|\/)\.{1,2}(?:\/|$)/.test(text));

describe('a signature', () => {
  it('is that of the AWS SDK, whatever the key, the query and the headers', async () => {
    const { client, sent } = judge();
    await fc.assert(
      fc.asyncProperty(key, fc.string(), async (Key, value) => {
        const ResponseContentType = value;
        await client.send(
          new GetObjectCommand({ Bucket: 'b', Key, Range: 'bytes=1-2', ResponseContentType }),
        );
        assert.equal(sent().path, `/b/${encodePath(Key)}`);
        sameSignature(sent(), undefined);
      }),
      { numRuns: 60 },
    );
    client.destroy();
  });

  it('covers the body, metadata and a session, as that of the AWS SDK does', async () => {
    const { client, sent } = judge('token/+=');
    for (const Body of [Buffer.alloc(0), Buffer.from('content'), Buffer.alloc(100_000, 7)]) {
      const Metadata = { writer: ' two  blanks ' };
      await client.send(new PutObjectCommand({ Bucket: 'b', Key: 'k', Body, Metadata }));
      sameSignature(sent(), Body);
    }
    client.destroy();
  });

  it('carries the moment in the form of the protocol', () => {
    assert.equal(signingTime(Date.UTC(2026, 0, 31, 23, 59, 59, 999)), '20260131T235959Z');
  });
});
