/** The tests' own way of asking and running a wal-g: what it cannot do is said, and a hang ends. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { runCommand } from './support/tsbk.ts';
import { walgLacks } from './support/walg.ts';

describe('a command of a test', () => {
  it('is killed when its time is up, though what it started holds its output open', async () => {
    let pid = 0;
    let words = '';
    const script = 'sleep 20 & echo started $! >&2; wait';
    const hanging = runCommand('/bin/sh', ['-c', script], {
      timeoutMs: 500,
      onStart: (started) => (pid = started),
      onStderr: (text) => (words += text),
    });
    await assert.rejects(hanging, /killed after 500 ms: \/bin\/sh -c .*\nstarted \d+\n$/);
    assert.throws(() => process.kill(pid, 0), /ESRCH/);
    const [left = ''] = /\d+/.exec(words) ?? [];
    assert.match(readFileSync(`/proc/${left}/cmdline`, 'latin1'), /^sleep/, 'it was waited for');
    process.kill(Number(left), 'SIGKILL');
  });
});

describe('a wal-g', { skip: walgLacks() }, () => {
  it('is asked what it can store with, and what it says is the reason to skip', () => {
    assert.equal(walgLacks({ WALG_COMPRESSION_METHOD: 'lz4' }), false);
    const lacking = walgLacks({ WALG_COMPRESSION_METHOD: 'lz4' }, { WALG_COMPRESSION_METHOD: 'x' });
    assert.match(String(lacking), /^this wal-g cannot: .*Unknown compression method: 'x'/);
  });
});
