import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { isTsbkError } from '../kernel/errors.ts';
import { serverLockHolder, takeServerLock } from './server-lock.ts';

let root: string;
let path: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'tsbk-lock-'));
  path = join(root, 'postmaster.pid');
});

afterEach(() => rmSync(root, { recursive: true }));

describe('the lock of a data directory', () => {
  it('names this process until it is released', async () => {
    const lock = await takeServerLock(root);
    assert.equal(readFileSync(path, 'utf8'), `${process.pid}\n${root}\n`);
    await lock.release();
    assert.equal(await serverLockHolder(root), undefined);
    await lock.release();
  });

  it('is not taken from a process that lives, with or without a postmaster', async () => {
    for (const pid of [process.ppid, -process.ppid]) {
      const content = `${pid}\n${root}\n`;
      writeFileSync(path, content);
      await assert.rejects(takeServerLock(root), (error) => isTsbkError(error, 'target-not-empty'));
      assert.equal(readFileSync(path, 'utf8'), content);
    }
  });

  it('is not taken if it says nothing', async () => {
    for (const content of ['', 'x\n', '0\n', '-\n']) {
      writeFileSync(path, content);
      await assert.rejects(takeServerLock(root), /does not name a process/);
    }
  });
});
