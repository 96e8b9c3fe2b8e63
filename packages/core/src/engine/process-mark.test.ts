import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { ownProcess, stateOfProcess } from './process-mark.ts';

const own = ownProcess();
assert.ok(own);

test('a process that runs is alive', () => {
  assert.equal(stateOfProcess(own), 'alive');
});

test('a process that ended is gone', async () => {
  const child = spawn('true');
  const pid = child.pid ?? 0;
  await once(child, 'exit');
  assert.equal(stateOfProcess({ ...own, pid }), 'gone');
});

test('a process whose number another one has now is gone', () => {
  assert.equal(stateOfProcess({ ...own, startTicks: '1' }), 'gone');
});

test('of a process of another machine, container or boot nothing is known', () => {
  for (const elsewhere of [{ bootId: 'x' }, { pidNamespace: 'pid:[1]' }]) {
    assert.equal(stateOfProcess({ ...own, pid: 999_999_999, ...elsewhere }), 'unknown');
  }
  assert.equal(stateOfProcess(undefined), 'unknown');
});
