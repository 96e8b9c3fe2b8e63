import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, it } from 'node:test';
import { ERROR_CODES } from '@tsbk/core/kernel/error-codes';
import { SETTING_LIST } from '@tsbk/core/settings/table';

const ROOT = resolve(import.meta.dirname, '..');

function headings(name: string, pattern: RegExp): readonly string[] {
  const text = readFileSync(join(ROOT, 'docs', name), 'utf8');
  return [...text.matchAll(pattern)].map((match) => match[1] ?? '');
}

describe('the generated pages', () => {
  it('are those that the tables make', () => {
    const { status, stderr } = spawnSync(process.execPath, ['scripts/docs.ts', '--check'], {
      cwd: ROOT,
      encoding: 'utf8',
    });
    assert.equal(status, 0, stderr);
  });

  it('explain every setting, every error and every command', () => {
    const settings = headings('settings.md', /^### (TSBK_\w+)$/gm);
    const errors = headings('errors.md', /^\| `([a-z-]+)` \|/gm);
    const commands = headings('commands.md', /^## tsbk ([a-z -]+)$/gm);
    assert.deepEqual(
      settings,
      SETTING_LIST.map(([, { env }]) => env[0]),
    );
    assert.deepEqual(errors, Object.keys(ERROR_CODES));
    assert.ok(settings.length > 40 && errors.length > 30, 'something was found to check');
    assert.ok(
      commands.includes('backup-push') &&
        commands.includes('st ls') &&
        commands.includes('archive-get'),
    );
  });
});

describe('the page on running', () => {
  it('explains every kind of event that a run reports', () => {
    const report = readFileSync(join(ROOT, 'packages/core/src/ports/report.ts'), 'utf8');
    const kinds = [...report.matchAll(/kind: '([a-z]+)'/g)].map((match) => match[1] ?? '');
    const explained = headings('running.md', /^\| `([a-z]+)` +\|/gm);
    assert.ok(kinds.length >= 6, 'something was found to check');
    assert.deepEqual([...explained].sort(), [...kinds, 'error'].sort());
  });
});
