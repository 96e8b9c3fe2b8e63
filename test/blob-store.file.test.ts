import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { openFileStore } from '@tsbk/core/storage/file/open';
import { blobStoreContract } from './contracts/blob-store.ts';
import { realClock } from './support/clock.ts';
import { tempDirectory } from './support/temp-directory.ts';

blobStoreContract('a directory store', async () => {
  const directory = await tempDirectory();
  const root = join(directory.path, 'repository');
  await mkdir(root);
  return {
    store: openFileStore({ root }, { clock: realClock }),
    missing: openFileStore({ root: join(directory.path, 'missing') }, { clock: realClock }),
    [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
  };
});
