import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { hasTerminal } from './niceness.ts';

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
  let session;
  try {
    session = readFileSync('/proc/self/autogroup', 'latin1');
  } catch {}
  console.log(JSON.stringify({ problem, niceness, session }));
`;

interface Found {
  readonly problem?: string;
  readonly niceness: readonly number[];
  /** Of the group of all processes of the session, where the kernel has such groups. */
  readonly session?: string;
}

/** In a session of its own, which is thereby one without a terminal. */
async function run(): Promise<Found> {
  const args = ['--input-type=module', '--eval', PROGRAM];
  const child = spawn(process.execPath, args, {
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: 20_000,
  });
  return JSON.parse(await text(child.stdout)) as Found;
}

test('setNiceness reaches every thread, also those that libuv and V8 have started, and later ones', async () => {
  const { problem, niceness } = await run();
  assert.equal(problem, undefined);
  assert.ok(niceness.length > 5, `${niceness.length} threads`);
  assert.deepEqual(new Set(niceness), new Set([7]));
});

test(
  'setNiceness reaches the session, which is what counts against processes of other sessions',
  { skip: existsSync('/proc/self/autogroup') ? false : 'this kernel has no autogroups' },
  async () => {
    const { session } = await run();
    assert.match(session ?? '', / nice 7$/m);
  },
);

test('a terminal is known by the fifth number behind the name, whatever the name', () => {
  assert.equal(hasTerminal('12 (node) S 1 12 12 0 -1 4194304 9'), false);
  assert.equal(hasTerminal('12 (node) S 1 12 12 34816 12 4194304 9'), true);
  assert.equal(hasTerminal('12 (a) 0 0) S 1 12 12 34816 12 4194304 9'), true);
});
