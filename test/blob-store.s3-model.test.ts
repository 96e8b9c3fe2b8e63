import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { blobStoreContract } from './contracts/blob-store.ts';
import { openS3UnderTest } from './contracts/s3-store.ts';
import { startS3Model, type S3Model } from './support/s3-model/start.ts';
import { s3TestOptions } from './support/s3-store.ts';

let model: S3Model | undefined;

before(async () => {
  model = await startS3Model({ buckets: ['tsbk-model'], modes: { checksumRequired: true } });
});

after(async () => {
  await model?.close();
});

for (const useListObjectsV1 of [false, true]) {
  blobStoreContract(
    `an S3 store on the model, listed by version ${useListObjectsV1 ? 1 : 2}`,
    () => {
      assert.ok(model);
      const server = { ...model, bucket: 'tsbk-model' };
      const options = s3TestOptions(server, { useListObjectsV1, listPageKeys: 10 });
      return openS3UnderTest(options, { isShared: true });
    },
  );
}
