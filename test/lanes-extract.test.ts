/** Lanes take tars apart, in this thread and in others: the same result, and the same refusals. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { openLanes, type OpenedLanes } from '@tsbk/core/engine/open-lanes';
import { openRepository } from '@tsbk/core/engine/open-repository';
import { crc32c, crc32cHex } from '@tsbk/core/format/crc32c';
import { treePath } from '@tsbk/core/format/tree-path';
import { isTsbkError, TsbkError } from '@tsbk/core/kernel/errors';
import type { ExtractBatch, ExtractTask } from '@tsbk/core/ports/extract';
import type { Receipt } from '@tsbk/core/ports/lanes';
import { loadSettings } from '@tsbk/core/settings/load';
import { sampleBytes } from '@tsbk/core/stream/sample-bytes';
import { sourceOf } from '@tsbk/core/stream/source';
import { fakeTar, type FakeMember } from './support/fake-repository.ts';
import { writeThrough } from './support/write-through.ts';
import { tempDirectory } from './support/temp-directory.ts';

const { signal } = new AbortController();
const KEY = 'e4a2f1c09b8d7e6f5a4b3c2d1e0f9a8b7c6d5e4f3a2b1c0d9e8f7a6b5c4d3e2f';

interface Site extends AsyncDisposable {
  readonly lanes: OpenedLanes;
  /** Where tasks of this site put their files. */
  readonly root: string;
  /** Stores a tar and says how to unpack it. */
  store(name: string, members: readonly FakeMember[]): Promise<ExtractTask>;
}

async function openSite(env: Readonly<Record<string, string>>): Promise<Site> {
  const directory = await tempDirectory();
  const root = join(directory.path, 'data');
  await mkdir(root);
  const prefix = join(directory.path, 'repository');
  await mkdir(prefix);
  const settings = loadSettings({
    env: { TSBK_FILE_PREFIX: prefix, ...env },
    flags: {},
    machine: { cores: 2 },
  });
  const report = (): void => {};
  const repository = await openRepository(settings, {
    signal: new AbortController().signal,
    report,
  });
  const lanes = openLanes(settings, repository, { report });
  return {
    lanes,
    root,
    store: async (name, members) => {
      const source = sourceOf(fakeTar(members));
      const { key, ...record }: Receipt = await writeThrough(
        lanes,
        { key: name, source },
        { signal },
      );
      return {
        tar: { key, extension: repository.writeCodec.extension, record },
        place: { root, tablespaces: new Map(), fsync: true },
        wanted: undefined,
        checksum: 'CRC32C',
      };
    },
    [Symbol.asyncDispose]: async () => {
      await lanes[Symbol.asyncDispose]();
      await repository[Symbol.asyncDispose]();
      await directory[Symbol.asyncDispose]();
    },
  };
}

const encrypted = { TSBK_LIBSODIUM_KEY: KEY, TSBK_LIBSODIUM_KEY_TRANSFORM: 'hex' };
const WAYS = [
  { TSBK_LANES: '2', TSBK_COMPRESSION_METHOD: 'lz4' },
  { TSBK_LANES: '2', TSBK_COMPRESSION_METHOD: 'zstd', ...encrypted },
  { TSBK_LANES: '0', TSBK_COMPRESSION_METHOD: 'lz4' },
];

for (const env of WAYS) {
  describe(`${env.TSBK_LANES} lanes that restore from ${env.TSBK_COMPRESSION_METHOD}`, () => {
    it('put the files of several tars in one tree', async () => {
      await using site = await openSite(env);
      const content = (tar: number, file: number): Buffer =>
        sampleBytes('mixed', 10_000 * (file + 1), tar + 1);
      const tars = await Promise.all(
        [0, 1, 2, 3].map((tar) =>
          site.store(
            `part_${tar}.tar`,
            Array.from({ length: 40 }, (_, file) => ({
              name: `/base/${file % 3}/${tar}.${file}`,
              content: content(tar, file),
            })),
          ),
        ),
      );
      const batches: ExtractBatch[] = [];
      const onBatch = (batch: ExtractBatch): void => void batches.push(batch);
      const receipts = await Promise.all(
        tars.map((task) => site.lanes.extract(task, { signal, onBatch })),
      );
      for (const { directories } of receipts) {
        const paths = directories.map(([path]) => path).toSorted();
        assert.deepEqual(paths, ['base', 'base/0', 'base/1', 'base/2']);
      }
      const placed = batches.flatMap(({ members }) => members.filter((m) => m.kind === 'placed'));
      assert.equal(placed.length, 160);
      for (const tar of [0, 1, 2, 3]) {
        const written = readFileSync(join(site.root, `base/2/${tar}.5`));
        assert.ok(written.equals(content(tar, 5)));
      }
    });

    it('fail with what the listener throws at the very last batch', async () => {
      await using site = await openSite(env);
      // Everything is one batch, and the lane is done right after it.
      const task = await site.store('part_1.tar', [{ name: '/a', content: 'a' }]);
      const refusal = new TsbkError('object-corrupt', 'a is not what the manifest says');
      const onBatch = (): never => {
        throw refusal;
      };
      await assert.rejects(site.lanes.extract(task, { signal, onBatch }), (e) => e === refusal);
      // The lane is as good as before.
      const other = await site.store('part_2.tar', [{ name: '/b', content: 'b' }]);
      await site.lanes.extract(other, { signal, onBatch: () => {} });
      assert.deepEqual(readdirSync(site.root).toSorted(), ['a', 'b']);
    });

    it('fail with the reason of an abort and write nothing after it', async () => {
      await using site = await openSite(env);
      const members = Array.from({ length: 3000 }, (_, file) => ({ name: `/${file}` }));
      const task = await site.store('part_1.tar', members);
      const stop = new AbortController();
      const reason = new TsbkError('interrupted', 'enough');
      const extracted = site.lanes.extract(task, {
        signal: stop.signal,
        onBatch: () => stop.abort(reason),
      });
      await assert.rejects(extracted, (error) => error === reason);
      const written = readdirSync(site.root).length;
      assert.ok(written < members.length, 'it went on to the end');
      await new Promise((resolve) => setTimeout(resolve, 50));
      assert.equal(readdirSync(site.root).length, written);
    });

    it('sum files, and those of before even if one cannot be read', async () => {
      await using site = await openSite(env);
      const { place } = await site.store('part_1.tar', []);
      writeFileSync(join(site.root, 'a'), 'a');
      const paths = ['a', 'gone'].map((name) => treePath(name));
      const task = { place, paths, checksum: 'CRC32C' } as const;
      const sums = await site.lanes.sumFiles({ ...task, isExisting: true }, { signal });
      assert.deepEqual(sums[0], { bytes: 1, checksum: crc32cHex(crc32c(Buffer.from('a'))) });
      assert.equal(sums[1]?.bytes, -1);
      await assert.rejects(site.lanes.sumFiles(task, { signal }), (error) =>
        isTsbkError(error, 'restore-failed'),
      );
    });

    it('say what is wrong with a tar as this thread would', async () => {
      await using site = await openSite(env);
      const task = await site.store('part_1.tar', [{ name: '/../x', content: 'evil' }]);
      await assert.rejects(
        site.lanes.extract(task, { signal, onBatch: () => {} }),
        (error) => isTsbkError(error, 'unsafe-name') && error.hint !== undefined,
      );
    });
  });
}
