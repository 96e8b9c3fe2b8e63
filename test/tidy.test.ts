import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { test } from 'node:test';
import { ERROR_CODES } from '@tsbk/core/kernel/error-codes';

const ROOT = resolve(import.meta.dirname, '..');
const CORE = join(ROOT, 'packages/core/src');

/**
 * The layers of ARCHITECTURE.md. A module may import its own folder and folders of a lower number.
 * Folders of one layer never import each other: that is what keeps stores, codecs and use-cases
 * exchangeable. `repository` stands on ports alone, so it shares its number with the adapters.
 */
const LAYERS: Readonly<Record<string, number>> = {
  kernel: 0,
  ports: 1,
  stream: 2,
  format: 2,
  storage: 3,
  codec: 3,
  cipher: 3,
  postgres: 3,
  cluster: 3,
  programs: 3,
  repository: 3,
  archive: 4,
  receive: 4,
  backup: 4,
  restore: 4,
  retention: 4,
  check: 4,
  merge: 4,
  'wal-audit': 4,
  'storage-tools': 4,
  // A use-case that is made of another one, a restore.
  extract: 4.5,
  settings: 5,
  engine: 5,
  lanes: 5,
};

/** Arrows within one layer that the design draws. */
const WITHIN_LAYER = new Set([
  'engine→settings',
  'engine→lanes',
  // Formats are read through streams; nothing of `stream` knows a format.
  'format→stream',
]);

/** Code lines a source file may have. */
const LINES_MAX = 300;

interface Source {
  readonly path: string;
  readonly text: string;
}

async function sources(folder: string): Promise<Source[]> {
  const found: Source[] = [];
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const skip = path.includes('node_modules') || path.includes('/dist/');
    if (!entry.isFile() || !entry.name.endsWith('.ts') || skip) continue;
    found.push({ path, text: await readFile(path, 'utf8') });
  }
  return found;
}

function importsOf(text: string): string[] {
  const pattern = /(?:from|import)\s*\(?\s*'([^']+)'/g;
  return [...text.matchAll(pattern)].map((match) => match[1] ?? '');
}

const isTest = ({ path }: Source): boolean => path.endsWith('.test.ts');

test('core modules import only their own folder and lower layers', async () => {
  const wrong: string[] = [];
  let arrows = 0;
  for (const source of (await sources(CORE)).filter((s) => !isTest(s))) {
    const from = relative(CORE, source.path).split('/')[0] ?? '';
    assert.ok(from in LAYERS, `${from}/ stands in no layer: add it to the table`);
    for (const target of importsOf(source.text).filter((name) => name.startsWith('.'))) {
      const to = relative(CORE, resolve(dirname(source.path), target)).split('/')[0] ?? '';
      arrows += 1;
      const lower = (LAYERS[to] ?? 99) < (LAYERS[from] ?? 0);
      if (from === to || lower || WITHIN_LAYER.has(`${from}→${to}`)) continue;
      wrong.push(`${relative(ROOT, source.path)} imports ${target}`);
    }
  }
  assert.ok(arrows > 100, `only ${arrows} imports were found: this check looks in the wrong place`);
  assert.deepEqual(wrong, []);
});

test('adapters of one port never import each other', async () => {
  const wrong: string[] = [];
  let seen = 0;
  for (const source of await sources(join(CORE, 'storage'))) {
    if (isTest(source)) continue;
    const from = relative(join(CORE, 'storage'), source.path).split('/')[0] ?? '';
    seen += 1;
    for (const target of importsOf(source.text).filter((name) => name.startsWith('.'))) {
      const place = relative(join(CORE, 'storage'), resolve(dirname(source.path), target));
      const to = place.split('/')[0] ?? '';
      const foreign = ['file', 's3'].includes(to) && to !== from;
      if (foreign) wrong.push(`${relative(ROOT, source.path)} imports ${target}`);
    }
  }
  assert.ok(seen > 10);
  assert.deepEqual(wrong, []);
});

test('environment, console, clock and exit are used by delivery and assembly only', async () => {
  const wrong: string[] = [];
  const pattern = /\bprocess\.(?:env|exit|argv)\b|\bDate\.now\(|\bnew Date\(\)|\bconsole\./;
  const files = (await sources(CORE)).filter((s) => !isTest(s));
  assert.ok(files.length > 60);
  for (const source of files) {
    const folder = relative(CORE, source.path).split('/')[0] ?? '';
    const line = source.text.split('\n').find((text) => pattern.test(text));
    if (folder !== 'engine' && line !== undefined) {
      wrong.push(`${relative(ROOT, source.path)}: ${line.trim()}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test('source files stay short enough to read in one sitting', async () => {
  const files = await sources(join(ROOT, 'packages'));
  assert.ok(files.length > 80);
  const long = files
    .filter((source) => !isTest(source))
    .map(({ path, text }) => ({ path: relative(ROOT, path), lines: text.split('\n').length }))
    .filter(({ lines }) => lines > LINES_MAX);
  assert.deepEqual(long, []);
});

test('every error code that is thrown is in the table, and every code of the table is thrown', async () => {
  const used = new Set<string>();
  for (const source of (await sources(join(ROOT, 'packages'))).filter((s) => !isTest(s))) {
    if (source.path.endsWith('error-codes.ts')) continue;
    for (const code of Object.keys(ERROR_CODES)) {
      if (source.text.includes(`'${code}'`)) used.add(code);
    }
  }
  const unused = Object.keys(ERROR_CODES).filter((code) => !used.has(code));
  assert.ok(used.size > 20);
  assert.deepEqual(unused, []);
});
