import { mkdirSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { giveToServerUser, scratchPath } from './postgres.ts';
import { startS3Server, type S3Server } from './s3-server.ts';

/** A place for a repository, and the settings by which the commands find it. */
export interface TestStore extends AsyncDisposable {
  readonly kind: StoreKind;
  readonly describe: string;
  readonly env: Readonly<Record<string, string>>;
  measure(): Promise<{ readonly objects: number; readonly bytes: number }>;
}

export type StoreKind = 'directory' | 's3';

/** A repository in a fresh directory, or in a bucket of a real S3 server on this machine. */
export async function openTestStore(kind: StoreKind): Promise<TestStore> {
  return kind === 's3' ? bucketStore(await startS3Server()) : directoryStore();
}

function directoryStore(): TestStore {
  const root = scratchPath('repository');
  mkdirSync(root, { mode: 0o700 });
  giveToServerUser(root);
  return {
    kind: 'directory',
    describe: 'a directory (WALG_FILE_PREFIX)',
    env: { WALG_FILE_PREFIX: root },
    measure: async () => {
      const entries = await readdir(root, { recursive: true, withFileTypes: true });
      const files = entries.filter((entry) => entry.isFile());
      const sizes = await Promise.all(
        files.map(async ({ parentPath, name }) => (await stat(join(parentPath, name))).size),
      );
      return { objects: files.length, bytes: sizes.reduce((sum, size) => sum + size, 0) };
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

function bucketStore(server: S3Server): TestStore {
  const { accessKeyId, secretAccessKey, bucket, endpoint, region } = server;
  return {
    kind: 's3',
    describe: `a bucket of an S3 server (${server.kind})`,
    env: {
      WALG_S3_PREFIX: `s3://${bucket}/main`,
      AWS_ENDPOINT: endpoint,
      AWS_REGION: region,
      AWS_S3_FORCE_PATH_STYLE: 'true',
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
    },
    measure: async () => {
      const client = new S3Client({
        endpoint,
        region,
        forcePathStyle: true,
        credentials: { accessKeyId, secretAccessKey },
      });
      const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: bucket }));
      client.destroy();
      const bytes = Contents.reduce((sum, { Size = 0 }) => sum + Size, 0);
      return { objects: Contents.length, bytes };
    },
    [Symbol.asyncDispose]: () => server.close(),
  };
}
