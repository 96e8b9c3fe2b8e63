import assert from 'node:assert/strict';
import { fstatSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { isTsbkError } from '../kernel/errors.ts';
import { syncLater } from './late-sync.ts';

const scratch = mkdtempSync(join(tmpdir(), 'tsbk-late-sync-'));
after(() => rmSync(scratch, { recursive: true }));

const OPTIONS = { enabled: true, atOnce: 4 };

test('flushes a file early, again and again, and closes it', async () => {
  const late = syncLater(OPTIONS);
  const path = join(scratch, 'early');
  const fd = openSync(path, 'wx');
  for (let turn = 0; turn < 10; turn += 1) {
    writeSync(fd, `${turn}`);
    late.early(fd, path);
    if (turn % 3 === 0) await new Promise(setImmediate);
  }
  await late.close(fd, path);
  await late.settled();
  assert.throws(() => fstatSync(fd), { code: 'EBADF' });
  assert.equal(readFileSync(path, 'utf8'), '0123456789');
});

test('closes a dropped file only when its early flush has ended', async () => {
  const late = syncLater(OPTIONS);
  const path = join(scratch, 'dropped');
  const fd = openSync(path, 'wx');
  writeSync(fd, 'content');
  late.early(fd, path);
  late.drop(fd, 'the name of the file');
  // Another file may be opened now, and must not get its number.
  fstatSync(fd);
  await late.settled();
  assert.throws(() => fstatSync(fd), { code: 'EBADF' });
});

test('closes a dropped file at once when nothing is under way', () => {
  const late = syncLater(OPTIONS);
  const fd = openSync('/dev/null', 'w');
  late.drop(fd, 'the name of the file');
  assert.throws(() => fstatSync(fd), { code: 'EBADF' });
});

test('throws later what failed in an early flush', async () => {
  const late = syncLater(OPTIONS);
  // No disk behind it, so fdatasync answers EINVAL.
  const fd = openSync('/dev/null', 'w');
  late.early(fd, 'the name of the file');
  late.drop(fd, 'the name of the file');
  await assert.rejects(late.settled(), (error) => {
    assert.ok(isTsbkError(error, 'restore-failed'));
    assert.match(error.message, /the name of the file/);
    return true;
  });
});

test('flushes nothing when it is not asked to', async () => {
  const late = syncLater({ ...OPTIONS, enabled: false });
  const fd = openSync('/dev/null', 'w');
  late.early(fd, 'file');
  await late.close(fd, 'file');
  await late.settled();
  assert.throws(() => fstatSync(fd), { code: 'EBADF' });
});
