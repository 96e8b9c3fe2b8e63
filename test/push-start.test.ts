/** What `tsbk-archive-push` loads, and when, which is started for each segment; and backups and restores. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { it } from 'node:test';

const DIST = resolve(import.meta.dirname, '../packages/archive-command/dist');
const CLI_DIST = resolve(import.meta.dirname, '../packages/cli/dist');
/** A third more than there was when this was written. */
const LOADED_BYTES_MAX = 125 * 1024;
/** The same for what is loaded beyond that to store in S3. */
const S3_BYTES_MAX = 140 * 1024;

/** Names after `from` or `import`; what `import()` loads comes later, if at all. */
function staticImports(text: string): string[] {
  return [...text.matchAll(/\b(?:from|import)\s*"([^"]+)"/g)].map((match) => match[1] ?? '');
}

function loadedFrom(path: string, loaded = new Map<string, string>()): Map<string, string> {
  if (loaded.has(path)) return loaded;
  const text = readFileSync(path, 'utf8');
  loaded.set(path, text);
  for (const name of staticImports(text).filter((each) => each.startsWith('.'))) {
    loadedFrom(join(dirname(path), name), loaded);
  }
  return loaded;
}

function bytesOf(loaded: ReadonlyMap<string, string>): number {
  return Buffer.byteLength([...loaded.values()].join(''));
}

/** The modules that chunks were made of, from their source maps. */
function sourcesOf(loaded: ReadonlyMap<string, string>): string[] {
  return [...loaded.keys()].flatMap((path) => {
    const map = JSON.parse(readFileSync(`${path}.map`, 'utf8')) as { readonly sources: string[] };
    return map.sources;
  });
}

/** The chunk that was made of this module and what only it needs. */
function chunkOf(source: string, name: RegExp): string {
  const chunks = readdirSync(join(DIST, 'lib')).filter((file) => name.test(file));
  const found = chunks.find((file) =>
    sourcesOf(new Map([[join(DIST, 'lib', file), '']])).some((each) => each.endsWith(source)),
  );
  assert.ok(found !== undefined, `no chunk has ${source}`);
  return join(DIST, 'lib', found);
}

it('the command that PostgreSQL starts loads little, and nothing of a store, before it needs one', () => {
  const main = join(DIST, 'tsbk-archive-push.mjs');
  const loaded = loadedFrom(main);
  assert.ok(loaded.size > 1, 'the bundle has chunks');
  const bytes = bytesOf(loaded);
  assert.ok(bytes > 20_000 && bytes < LOADED_BYTES_MAX, `${bytes} bytes`);
  const packages = [...loaded.values()].flatMap(staticImports).filter((name) => /^[^.]/.test(name));
  assert.deepEqual(
    packages.filter((name) => !/^(?:node:)?[a-z_]+(?:\/promises)?$/.test(name) || /lz4/.test(name)),
    [],
  );
  const sources = sourcesOf(loaded);
  assert.ok(sources.some((name) => name.endsWith('archive/push-memory.ts')));
  const wrong = /node_modules|storage\/|codec\/(?:lz4|zstd|lzma|brotli)|cipher\/|postgres\//;
  assert.deepEqual(
    sources.filter((name) => wrong.test(name)),
    [],
  );
  const all = readFileSync(main, 'utf8').match(/import\("\.\/lib\/push-to-store-[^"]+"\)/);
  assert.ok(all !== null, 'the store is loaded when it is needed');
});

it('to store in S3 it loads little more, and neither the AWS SDK nor what starts threads and processes', () => {
  const loaded = loadedFrom(join(DIST, 'tsbk-archive-push.mjs'));
  const before = bytesOf(loaded);
  loadedFrom(chunkOf('src/push-to-store.ts', /^push-to-store-.*\.mjs$/), loaded);
  loadedFrom(chunkOf('storage/s3/open.ts', /^open-.*\.mjs$/), loaded);
  const bytes = bytesOf(loaded) - before;
  assert.ok(bytes > 50_000 && bytes < S3_BYTES_MAX, `${bytes} bytes`);
  const sources = sourcesOf(loaded);
  assert.ok(sources.some((name) => name.endsWith('s3/wire/sign.ts')));
  assert.deepEqual(
    sources.filter((name) => /@aws-sdk|@smithy|node_modules\/(?:openpgp|libsodium)/.test(name)),
    [],
  );
  const imported = [...loaded.values()].flatMap(staticImports);
  const dear = /^(?:node:)?(?:https?|http2|child_process|worker_threads)$/;
  assert.deepEqual(
    imported.filter((name) => dear.test(name)),
    [],
  );
});

for (const [command, own] of [
  ['backup-push', 'backup/push.ts'],
  ['backup-fetch', 'restore/fetch.ts'],
] as const) {
  it(`${command} starts from a few files, and so does every other command of the same program`, () => {
    const loaded = loadedFrom(join(CLI_DIST, `tsbk-${command}.mjs`));
    assert.ok(loaded.size > 1 && loaded.size < 12, `${loaded.size} files`);
    assert.ok(sourcesOf(loaded).some((path) => path.endsWith(own)));
    const asked = spawnSync(process.execPath, [join(CLI_DIST, `tsbk-${command}.mjs`), 'config'], {
      encoding: 'utf8',
      env: { HOME: '/nonexistent' },
    });
    assert.equal(asked.status, 0, asked.stderr);
    assert.match(asked.stdout, /TSBK_LANES/);
  });
}

it('a lane starts from a few files', () => {
  const loaded = loadedFrom(join(CLI_DIST, 'lib/lane.mjs'));
  assert.ok(loaded.size > 1 && loaded.size < 6, `${loaded.size} files`);
  assert.ok(sourcesOf(loaded).some((path) => path.endsWith('restore/extract-tar.ts')));
});
