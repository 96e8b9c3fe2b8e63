import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';

const PROGRAM = `
  import { readdirSync, readFileSync } from 'node:fs';
  import { stat } from 'node:fs/promises';
  import { Worker } from 'node:worker_threads';
  import { setNiceness } from ${JSON.stringify(new URL('./niceness.ts', import.meta.url).href)};
  await stat('/');
  const problem = setNiceness(7);
  const worker = new Worker('setInterval(() => {}, 1000)', { eval: true });
  await new Promise((done) => worker.once('online', done));
  const niceness = readdirSync('/proc/self/task').map((thread) => {
    const stat = readFileSync('/proc/self/task/' + thread + '/stat', 'latin1');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16]);
  });
  await worker.terminate();
  console.log(JSON.stringify({ problem, niceness }));
`;

test('setNiceness reaches every thread, also those that libuv and V8 have started, and later ones', async () => {
  const args = ['--input-type=module', '--eval', PROGRAM];
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 20_000 });
  const { problem, niceness } = JSON.parse(stdout) as { problem?: string; niceness: number[] };
  assert.equal(problem, undefined);
  assert.ok(niceness.length > 5, `${niceness.length} threads`);
  assert.deepEqual(new Set(niceness), new Set([7]));
});
