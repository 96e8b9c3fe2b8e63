/** What `tsbk-archive-push` loads before it knows that it needs a store. It is started for each segment. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { it } from 'node:test';

const DIST = resolve(import.meta.dirname, '../packages/archive-command/dist');
/** Half as much again as there was when this was written. */
const LOADED_BYTES_MAX = 160 * 1024;

/** Names after `from` or `import`; what `import()` loads comes later, if at all. */
function staticImports(text: string): string[] {
  const pattern = /^(?:import\s*|.*\bfrom\s*)"([^"]+)";$/gm;
  return [...text.matchAll(pattern)].map((match) => match[1] ?? '');
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

it('the command that PostgreSQL starts loads little, and nothing of a store, before it needs one', () => {
  const main = join(DIST, 'tsbk-archive-push.mjs');
  const loaded = loadedFrom(main);
  assert.ok(loaded.size > 1, 'the bundle has chunks');
  const text = [...loaded.values()].join('\n');
  const bytes = Buffer.byteLength(text);
  assert.ok(bytes > 20_000 && bytes < LOADED_BYTES_MAX, `${bytes} bytes`);
  const packages = [...loaded.values()].flatMap(staticImports).filter((name) => /^[^.]/.test(name));
  assert.deepEqual(
    packages.filter((name) => !/^(?:node:)?[a-z_]+(?:\/promises)?$/.test(name) || /lz4/.test(name)),
    [],
  );
  // Comments in which esbuild names where code comes from.
  const sources = [...text.matchAll(/^\/\/ (\S+\.[mc]?[jt]s)$/gm)].map((match) => match[1] ?? '');
  assert.ok(sources.some((name) => name.endsWith('archive/push-memory.ts')));
  const wrong = /node_modules|storage\/|codec\/(?:lz4|zstd|lzma|brotli)|cipher\/|postgres\//;
  assert.deepEqual(
    sources.filter((name) => wrong.test(name)),
    [],
  );
  const all = readFileSync(main, 'utf8').match(/import\("\.\/lib\/push-to-store-[^"]+"\)/);
  assert.ok(all !== null, 'the store is loaded when it is needed');
});
