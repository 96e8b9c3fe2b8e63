import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { parentOfProcess, watchParent } from './parent-watch.ts';

test('watchParent aborts when a process further up is gone, not only the direct parent', async () => {
  // command 40 ← launcher 30 ← shell 20 ← archiver 10 ← postmaster 5
  const tree = new Map([
    [40, 30],
    [30, 20],
    [20, 10],
    [10, 5],
  ]);
  const watch = watchParent(40, (pid) => tree.get(pid));
  try {
    // The archiver dies; init takes the shell over.
    tree.set(20, 1);
    await once(watch.signal, 'abort');
    assert.match(String(watch.signal.reason), /process 10/);
  } finally {
    watch.dispose();
  }
});

test('watchParent stays quiet where the system does not tell', () => {
  const watch = watchParent(40, () => undefined);
  watch.dispose();
  assert.equal(watch.signal.aborted, false);
});

test('parentOfProcess knows our own parent and nothing of a process that is not there', () => {
  if (process.platform === 'linux') assert.equal(parentOfProcess(process.pid), process.ppid);
  assert.equal(parentOfProcess(2 ** 22 + 1), undefined);
});
