import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';

const MODULE = new URL('./leave.ts', import.meta.url).href;
/** Longer than any of them lingers, and shorter than anybody waits for a test. */
const GIVE_UP_MS = 20_000;

interface End {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** How a process ends that runs this after `lingering`. */
function endOf(lingering: string, leaving: string): Promise<End> {
  const script = `import { leaveLauncher, leaveWith } from '${MODULE}';
    import { open } from 'node:fs';
    ${lingering}; ${leaving};`;
  return new Promise((resolve) => {
    const args = ['--input-type=module', '--eval', script];
    const child = execFile(process.execPath, args, { timeout: 0 }, () => undefined);
    const giveUp = setTimeout(() => child.kill('SIGTERM'), GIVE_UP_MS);
    child.once('exit', (code, signal) => {
      clearTimeout(giveUp);
      resolve({ code, signal });
    });
  });
}

describe('A process that leaves', { concurrency: true }, () => {
  test('ends by itself where nothing keeps it, with the code that it was given', async () => {
    assert.deepEqual(await endOf('', 'leaveWith(3)'), { code: 3, signal: null });
    assert.deepEqual(await endOf('', 'leaveLauncher(75, 75)'), { code: 75, signal: null });
  });

  test('is ended with its code where somebody forgot a connection', async () => {
    const forgotten = 'setInterval(() => undefined, 1000)';
    assert.deepEqual(await endOf(forgotten, 'leaveWith(3)'), { code: 3, signal: null });
    assert.deepEqual(await endOf(forgotten, 'leaveLauncher(0, 75)'), { code: 0, signal: null });
  });

  test('is killed where its launcher takes that for "try again", whatever hangs in the file system', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tsbk-leave-'));
    try {
      const pipe = join(folder, 'pipe');
      execFileSync('mkfifo', [pipe]);
      // Nobody ever opens the other end: a call that hangs as on a file system that is away.
      const hanging = `open(${JSON.stringify(pipe)}, 'r', () => undefined)`;
      const end = await endOf(hanging, 'leaveLauncher(75, 75)');
      assert.deepEqual(end, { code: null, signal: 'SIGKILL' });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
