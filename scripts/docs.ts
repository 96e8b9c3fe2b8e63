/**
 * Writes the pages that are made from tables: docs/settings.md, docs/errors.md, docs/commands.md.
 * With --check it writes nothing and fails if one of them is stale.
 *
 *   node scripts/docs.ts [--check]
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { commandsPage } from './docs/commands-page.ts';
import { errorsPage } from './docs/errors-page.ts';
import { settingsPage } from './docs/settings-page.ts';

const ROOT = resolve(import.meta.dirname, '..');

const PAGES = {
  'docs/commands.md': commandsPage,
  'docs/errors.md': errorsPage,
  'docs/settings.md': settingsPage,
} as const;

function current(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

const isCheck = process.argv.includes('--check');
for (const [name, page] of Object.entries(PAGES)) {
  const path = join(ROOT, name);
  const text = page();
  if (current(path) === text) continue;
  if (isCheck) {
    process.exitCode = 1;
    process.stderr.write(`${name} is stale: run \`npm run docs\`\n`);
  } else {
    writeFileSync(path, text);
    process.stdout.write(`${name} written\n`);
  }
}
