import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import {
  chmod,
  mkdir,
  readdir,
  readFile,
  stat,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { BlobStore } from '@tsbk/core/ports/blob-store';
import { openFileStore } from '@tsbk/core/storage/file/open';
import { probeConditionalWrites } from '@tsbk/core/storage/probe-conditional-writes';
import {
  contentOf,
  foldersOf,
  keysOf,
  noise,
  refuses,
  signal,
  unfinishedOf,
} from './contracts/blob-store/helpers.ts';
import { realClock } from './support/clock.ts';
import { tempDirectory } from './support/temp-directory.ts';

const WRITER = fileURLToPath(new URL('support/file-store-writer.ts', import.meta.url));

interface Place extends AsyncDisposable {
  readonly root: string;
  readonly store: BlobStore;
}

async function place(): Promise<Place> {
  const directory = await tempDirectory();
  const root = join(directory.path, 'repository');
  await mkdir(root, { mode: 0o700 });
  return {
    root,
    store: openFileStore({ root }, { clock: realClock }),
    [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
  };
}

async function modeOf(path: string): Promise<string> {
  return ((await stat(path)).mode & 0o7777).toString(8);
}

describe('files of a directory store', () => {
  for (const [rootMode, directoryMode, fileMode] of [
    [0o700, '700', '600'],
    [0o750, '750', '640'],
    [0o755, '750', '640'],
  ] as const) {
    it(`are of mode ${fileMode} in a root of ${rootMode.toString(8)}, whatever the umask (B10)`, async (t) => {
      await using at = await place();
      await chmod(at.root, rootMode);
      const before = process.umask(0);
      t.after(() => process.umask(before));
      await at.store.put('wal_005/a', noise(1), { signal });
      assert.equal(await modeOf(join(at.root, 'wal_005')), directoryMode);
      assert.equal(await modeOf(join(at.root, 'wal_005/a')), fileMode);
    });
  }

  it('are those that WAL-G would write: the bytes, under the key', async () => {
    await using at = await place();
    await at.store.put('wal_005/000000010000000000000001.lz4', noise(1000), { signal });
    assert.deepEqual(await readdir(at.root), ['wal_005']);
    assert.deepEqual(
      await readFile(join(at.root, 'wal_005/000000010000000000000001.lz4')),
      noise(1000),
    );
  });

  it('that WAL-G or a killed process left half-written are not objects', async () => {
    await using at = await place();
    const name = 'wal_005/a.lz4.tmp.20250203T040506Z-0123456789abcdef';
    await mkdir(join(at.root, 'wal_005'));
    await writeFile(join(at.root, name), 'half');
    assert.deepEqual(await keysOf(at.store), []);
    assert.deepEqual(await foldersOf(at.store), []);
    assert.deepEqual(await unfinishedOf(at.store), ['wal_005/a.lz4']);
    await refuses('unsafe-name', () => at.store.get(name, { signal }));
    await refuses('unsafe-name', () => at.store.put(name, noise(1), { signal }));
  });

  it('go together with the folders that they leave empty, but never the root', async () => {
    await using at = await place();
    await at.store.put('a/b/c', noise(1), { signal });
    await at.store.put('a/d', noise(1), { signal });
    await at.store.remove('a/b/c', { signal });
    assert.deepEqual(await readdir(join(at.root, 'a')), ['d']);
    await at.store.remove('a/d', { signal });
    assert.deepEqual(await readdir(at.root), []);
  });

  it('that shrink while they are read are truncated objects', async () => {
    await using at = await place();
    await at.store.put('a', noise(1_000_000), { signal });
    await refuses('object-truncated', async () => {
      const blob = await at.store.get('a', { signal });
      for await (const _ of blob?.body ?? []) await truncate(join(at.root, 'a'), 300_000);
    });
  });
});

describe('what lies in the directory and is no file', () => {
  it('may be the root, as a symbolic link', async () => {
    await using at = await place();
    const link = `${at.root}-link`;
    await symlink(at.root, link);
    const store = openFileStore({ root: link }, { clock: realClock });
    await store.put('a/b', noise(10), { signal, ifAbsent: true });
    assert.deepEqual(await contentOf(at.store, 'a/b'), noise(10));
    assert.deepEqual(await keysOf(store), ['a/b']);
  });

  it('is not followed if it is a link to a folder', async () => {
    await using at = await place();
    const outside = `${at.root}-outside`;
    await mkdir(outside);
    await writeFile(join(outside, 'a'), 'secret');
    await symlink(outside, join(at.root, 'wal_005'));
    for (const action of [
      () => at.store.get('wal_005/a', { signal }),
      () => at.store.stat('wal_005/a', { signal }),
      () => at.store.put('wal_005/b', noise(1), { signal }),
      () => at.store.put('wal_005/b', noise(1), { signal, ifAbsent: true }),
      () => at.store.remove('wal_005/a', { signal }),
      () => keysOf(at.store, 'wal_005/'),
    ]) {
      await refuses('store-failed', action);
    }
    assert.deepEqual(await readdir(outside), ['a']);
  });

  it('is not read if it is a link to a file or a pipe', async () => {
    await using at = await place();
    await writeFile(`${at.root}-secret`, 'secret');
    await symlink(`${at.root}-secret`, join(at.root, 'link'));
    await promisify(execFile)('mkfifo', [join(at.root, 'pipe')]);
    for (const key of ['link', 'pipe']) {
      await refuses('store-failed', () => at.store.get(key, { signal }));
      await refuses('store-failed', () => at.store.stat(key, { signal }));
    }
    assert.deepEqual(await keysOf(at.store), []);
  });
});

describe('a directory store', () => {
  it('keeps its promise about writes if absent', async () => {
    await using at = await place();
    const found = await probeConditionalWrites(at.store, { signal });
    assert.deepEqual(found, { put: true, upload: true });
    assert.deepEqual(await readdir(at.root), []);
  });

  it('holds whole objects or none after its writer was killed, at any moment (A13)', async () => {
    await using at = await place();
    const bytes = 900_000;
    for (let round = 0; round < 10; round += 1) {
      const child = spawn(process.execPath, [WRITER, at.root, String(bytes), '10000'], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await once(child.stdout, 'data');
      await new Promise((resolve) => setTimeout(resolve, round * 7));
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    const keys = await keysOf(at.store);
    assert.ok(keys.length > 0);
    for (const key of keys) {
      const number = Number(key.split('/')[1]);
      assert.deepEqual(await contentOf(at.store, key), noise(bytes, number), key);
    }
    for await (const upload of at.store.unfinished('', { signal }))
      await upload.discard({ signal });
    assert.deepEqual(await unfinishedOf(at.store), []);
    assert.equal((await readdir(join(at.root, 'wal_005'))).length, keys.length);
  });

  it('has no folders left of an upload that is discarded', async () => {
    await using at = await place();
    const begun = await at.store.upload('base/of/a/part', { signal });
    for await (const upload of at.store.unfinished('base/', { signal })) {
      await upload.discard({ signal });
    }
    assert.deepEqual(await readdir(at.root), []);
    await begun.abort({ signal });
  });

  it('without room is full, and holds nothing half-written (B1)', async () => {
    await using at = await place();
    // 512 blocks of 1024 bytes: no file may become larger.
    const script = `ulimit -f 512; exec "$0" "$@"`;
    const command = ['-c', script, process.execPath, WRITER, at.root, '900000', '1'];
    const { stdout } = await promisify(execFile)('bash', command);
    assert.equal(stdout.trim(), 'failed store-full');
    assert.deepEqual(await keysOf(at.store), []);
    assert.deepEqual(await unfinishedOf(at.store), []);
  });

  const strace = ['/usr/bin/strace', '/bin/strace'].find((path) => existsSync(path));
  const skip = strace === undefined ? 'strace is not installed' : false;

  it('fsyncs a file before it gets its name, and the folders after that', { skip }, async () => {
    await using at = await place();
    const log = join(at.root, '..', 'strace.log');
    const options = ['-f', '-qq', '-y', '-o', log, '-e', 'trace=fsync,link'];
    const command = [...options, process.execPath, WRITER, at.root, '900000', '1'];
    await promisify(execFile)(strace ?? '', command);
    const calls = (await readFile(log, 'utf8')).matchAll(/(fsync)\(\d+<([^>]*)>|(link)\(/g);
    const order = [...calls].map(([, fsync, path]) => (fsync === undefined ? 'link' : path));
    assert.match(order[0] ?? '', /wal_005\/1\.tmp\./);
    assert.deepEqual(order.slice(1), ['link', join(at.root, 'wal_005'), at.root]);
  });

  for (const [call, hit] of [
    ['fsync', 1],
    ['fsync', 2],
    ['pwrite64', 2],
    ['link', 1],
  ] as const) {
    it(`whose ${call} number ${hit} fails has not stored anything (B4)`, { skip }, async () => {
      await using at = await place();
      const inject = ['-f', '-qq', '-o', '/dev/null', '-e', `inject=${call}:error=EIO:when=${hit}`];
      const command = [...inject, process.execPath, WRITER, at.root, '900000', '1'];
      // strace counts the calls of each thread apart.
      const env = { ...process.env, UV_THREADPOOL_SIZE: '1' };
      const { stdout } = await promisify(execFile)(strace ?? '', command, { env });
      assert.equal(stdout.trim(), 'failed store-failed');
      assert.deepEqual(await keysOf(at.store), []);
      assert.deepEqual(await unfinishedOf(at.store), []);
    });
  }
});
