import assert from 'node:assert/strict';
import { fstatSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { isTsbkError } from '../kernel/errors.ts';
import { EARLY_FLUSH_BYTES, syncLater } from './late-sync.ts';

const scratch = mkdtempSync(join(tmpdir(), 'tsbk-late-sync-'));
after(() => rmSync(scratch, { recursive: true }));

const OPTIONS = { enabled: true, atOnce: 4 };

test('flushes a file early, again and again, and closes it', async () => {
  const late = syncLater(OPTIONS);
  const path = join(scratch, 'early');
  const fd = openSync(path, 'wx');
  for (let turn = 0; turn < 10; turn += 1) {
    writeSync(fd, `${turn}`);
    late.wrote(fd, EARLY_FLUSH_BYTES, path);
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
  late.wrote(fd, EARLY_FLUSH_BYTES, path);
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

test('flushes early when many small writes have come together, and counts each file by itself', async () => {
  const late = syncLater(OPTIONS);
  // No disk behind it, so a flush fails.
  const [one, other] = [openSync('/dev/null', 'w'), openSync('/dev/null', 'w')];
  late.wrote(one, EARLY_FLUSH_BYTES - 1, 'one');
  late.wrote(other, EARLY_FLUSH_BYTES - 1, 'other');
  await late.settled();
  late.drop(other, 'other');
  late.wrote(one, 1, 'one');
  late.drop(one, 'one');
  await assert.rejects(late.settled(), /one/);
});

test('throws later what failed in an early flush', async () => {
  const late = syncLater(OPTIONS);
  // No disk behind it, so fdatasync answers EINVAL.
  const fd = openSync('/dev/null', 'w');
  late.wrote(fd, EARLY_FLUSH_BYTES, 'the name of the file');
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
  late.wrote(fd, EARLY_FLUSH_BYTES, 'file');
  await late.close(fd, 'file');
  await late.settled();
  assert.throws(() => fstatSync(fd), { code: 'EBADF' });
});
