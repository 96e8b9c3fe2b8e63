import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { isTsbkError } from '../kernel/errors.ts';
import { openStateFolder, stateDirectoryOf } from './state-directory.ts';

describe('openStateFolder', () => {
  const root = mkdtempSync(join(tmpdir(), 'tsbk-state-'));
  after(() => rmSync(root, { recursive: true }));
  const refused = (error: unknown): boolean => isTsbkError(error, 'state-directory');

  it('makes a folder that only its user can enter, and finds it again', async () => {
    const state = stateDirectoryOf(join(root, 'data'), undefined);
    const path = await openStateFolder(state, 'pushed');
    assert.equal(path, join(root, 'data/pg_stat_tmp/tsbk/pushed'));
    assert.equal(statSync(path).mode & 0o777, 0o700);
    assert.equal(await openStateFolder(state, 'pushed'), path);
  });

  it('refuses a directory that others can write to', async () => {
    const state = join(root, 'open');
    mkdirSync(join(state, 'pushed'), { recursive: true });
    chmodSync(state, 0o777);
    await assert.rejects(openStateFolder(state, 'pushed'), refused);
  });

  it('refuses a directory of another user, and a link', async () => {
    const state = join(root, 'linked');
    const uid = (process.getuid?.() ?? 0) + 1;
    await assert.rejects(openStateFolder(join(root, 'other'), 'pushed', uid), refused);
    symlinkSync(join(root, 'other'), state);
    await assert.rejects(openStateFolder(state, 'pushed'), refused);
  });

  it('refuses a place where no directory can be made', async () => {
    await assert.rejects(openStateFolder('/dev/null/state', 'pushed'), refused);
  });
});
