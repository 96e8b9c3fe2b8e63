import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { blobStoreContract } from './contracts/blob-store.ts';
import { openS3UnderTest } from './contracts/s3-store.ts';
import { startS3Server, type S3Server } from './support/s3-server.ts';
import { s3TestOptions } from './support/s3-store.ts';

let server: S3Server | undefined;

before(async () => {
  server = await startS3Server();
});

after(async () => {
  await server?.close();
});

it('the S3 server of these tests says what it is', (t) => {
  assert.ok(server);
  t.diagnostic(`S3 is ${server.kind} at ${server.endpoint}`);
});

for (const useListObjectsV1 of [false, true]) {
  blobStoreContract(`an S3 store, listed by version ${useListObjectsV1 ? 1 : 2}`, async () => {
    assert.ok(server);
    const options = s3TestOptions(server, { useListObjectsV1, listPageKeys: 10 });
    return openS3UnderTest(options, { isShared: server.kind === 'foreign' });
  });
}
