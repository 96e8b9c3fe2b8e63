import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, rmdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { createDirectorySync } from './durable-directory.ts';
import { resolveRoot, type Root } from './paths.ts';
import { removeFile } from './remove.ts';

describe('removing a file', () => {
  let root: Root;
  beforeEach(async () => {
    root = await resolveRoot(await mkdtemp(join(tmpdir(), 'tsbk-')));
    await mkdir(join(root.path, 'a/b'), { recursive: true });
    await writeFile(join(root.path, 'a/b/c'), 'x');
  });
  afterEach(async () => rm(root.path, { recursive: true }));

  it('removes the folders that it leaves empty', async () => {
    await removeFile(root, 'a/b/c', createDirectorySync());
    assert.equal(existsSync(join(root.path, 'a')), false);
  });

  for (const depth of [1, 2]) {
    it(`synchronises the nearest folder there is when another removal took ${depth} of them`, async () => {
      const real = createDirectorySync();
      const synced: string[] = [];
      let taken = 0;
      await removeFile(root, 'a/b/c', async (directory, under) => {
        for (let folder = directory; taken < depth; taken += 1, folder = dirname(folder)) {
          await rmdir(folder);
        }
        await real(directory, under);
        synced.push(directory);
      });
      assert.deepEqual(synced, [depth === 1 ? join(root.path, 'a') : root.path]);
      assert.equal(existsSync(join(root.path, 'a/b')), false);
    });
  }

  it('fails when a folder cannot be synchronised', async () => {
    const failure = new Error('the disk is gone');
    await assert.rejects(
      removeFile(root, 'a/b/c', () => Promise.reject(failure)),
      failure,
    );
  });
});
