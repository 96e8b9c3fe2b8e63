import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { isTsbkError } from '../kernel/errors.ts';
import { claimDirectories } from './claim-directories.ts';
import { inspectDirectory } from './inspect-directory.ts';

let scratch: string;

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'tsbk-claim-'));
});

afterEach(() => rmSync(scratch, { recursive: true }));

describe('claimDirectories', () => {
  it('makes what is absent, for its owner only', async () => {
    const data = join(scratch, 'data');
    await claimDirectories([data, join(data, 'a/ts')]);
    assert.equal(statSync(data).mode & 0o777, 0o700);
    assert.ok(existsSync(join(data, 'a/ts')));
  });

  it('refuses what is not empty, and takes back what it made', async () => {
    const [data, ts] = [join(scratch, 'data'), join(scratch, 'ts')];
    mkdirSync(ts);
    writeFileSync(join(ts, 'x'), '');
    await assert.rejects(claimDirectories([data, ts]), (error) =>
      isTsbkError(error, 'target-not-empty'),
    );
    assert.deepEqual([existsSync(data), readdirSync(ts)], [false, ['x']]);
  });

  it('clears what was filled, leaves a directory that was there, and follows no link', async () => {
    const [data, ts, outside] = [join(scratch, 'data'), join(scratch, 'ts'), join(scratch, 'out')];
    mkdirSync(ts);
    mkdirSync(outside);
    writeFileSync(join(outside, 'precious'), '');
    const claimed = await claimDirectories([data, ts]);
    mkdirSync(join(data, 'base'));
    writeFileSync(join(data, 'base/1'), '');
    symlinkSync(outside, join(ts, 'link'));
    await claimed.clear();
    assert.deepEqual([existsSync(data), readdirSync(ts)], [false, []]);
    assert.deepEqual(readdirSync(outside), ['precious']);
  });
});

describe('inspectDirectory', () => {
  const state = async (path: string) => (await inspectDirectory(join(scratch, path))).state;

  it('tells absent, empty and occupied', async () => {
    mkdirSync(join(scratch, 'empty'));
    mkdirSync(join(scratch, 'full'));
    writeFileSync(join(scratch, 'full/x'), '');
    assert.equal((await state('absent')).kind, 'absent');
    assert.equal((await state('empty')).kind, 'empty');
    assert.equal((await state('full')).kind, 'occupied');
  });

  it('finds a server and the root of a file system', async () => {
    mkdirSync(join(scratch, 'server'));
    writeFileSync(join(scratch, 'server/postmaster.pid'), '4711\n/data\n');
    mkdirSync(join(scratch, 'mount/lost+found'), { recursive: true });
    const server = await state('server');
    const mount = await state('mount');
    assert.equal(server.kind === 'occupied' && server.by.postmaster, '4711');
    assert.equal(mount.kind === 'occupied' && mount.by.isMountPoint, true);
  });

  it('refuses files, dangling links and what has no parent', async () => {
    writeFileSync(join(scratch, 'file'), '');
    symlinkSync(join(scratch, 'nowhere'), join(scratch, 'dangling'));
    for (const path of ['file', 'dangling', 'no/parent', 'file/below']) {
      assert.equal((await state(path)).kind, 'unusable', path);
    }
  });

  it('resolves links to directories and says what is free', async () => {
    mkdirSync(join(scratch, 'real'));
    symlinkSync(join(scratch, 'real'), join(scratch, 'link'));
    const found = await inspectDirectory(join(scratch, 'link'));
    assert.equal(found.path, (await inspectDirectory(join(scratch, 'real'))).path);
    assert.ok((found.fileSystem?.freeBytes ?? 0) > 0);
    const below = await inspectDirectory(join(scratch, 'link/new'));
    assert.equal(below.path, join(found.path, 'new'));
  });
});
