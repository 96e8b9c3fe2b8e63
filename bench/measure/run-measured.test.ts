import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { stageForServerUser } from '@tsbk/test/support/postgres';
import { runMeasured, type Command } from './run-measured.ts';

const node = stageForServerUser(process.execPath);
const AROUND = { timeoutMs: 60_000 };

/** Node.js below two shells, as launchers start it. */
function grandchild(script: string): Command {
  const shell = '"$0" -c \'"$0" -e "$1"; exit $?\' "$1" "$2"; exit $?';
  return { program: '/bin/bash', args: ['-c', shell, '/bin/bash', node, script], env: {} };
}

describe('runMeasured', () => {
  test('counts processor time and memory of what a command starts', async () => {
    const script = `
      const kept = Buffer.alloc(150 * 1024 * 1024, 1);
      while (process.cpuUsage().user < 300_000) kept[0] += 1;
      setTimeout(() => {}, 500);`;
    const usage = await runMeasured(grandchild(script), AROUND);
    assert.ok(usage.cpuMs >= 300, `${usage.cpuMs} ms`);
    assert.ok(usage.wallMs >= 800, `${usage.wallMs} ms`);
    assert.ok(usage.peakPssBytes > 150 * 1024 * 1024);
    assert.ok(usage.peakRssBytes >= usage.peakPssBytes);
  });

  test('counts what a command and the server read', async () => {
    const script = `
      const { openSync, readSync } = require('node:fs');
      const zeros = openSync('/dev/zero');
      readSync(zeros, Buffer.alloc(50 * 1024 * 1024));`;
    const usage = await runMeasured(grandchild(script), { ...AROUND, serverPid: process.pid });
    const read = usage.readBytes ?? 0;
    assert.ok(read >= 50 * 1024 * 1024, `${read} bytes`);
    assert.ok(read < 100 * 1024 * 1024, `${read} bytes`);
    assert.ok((usage.serverReadBytes ?? 0) >= read);
  });

  test('tells what a failing command wrote', async () => {
    const failing = grandchild('console.error("no space"); process.exitCode = 3');
    await assert.rejects(runMeasured(failing, AROUND), /exited with 3: no space/);
  });

  test('ends a command that takes too long, with what it started', async () => {
    const hanging = grandchild('setTimeout(() => {}, 3_600_000)');
    await assert.rejects(runMeasured(hanging, { timeoutMs: 300 }), /exited with SIGKILL/);
  });

  test('counts what other processes use meanwhile apart', async () => {
    const busy = grandchild('while (process.cpuUsage().user < 200_000);');
    const watched = await runMeasured(busy, { ...AROUND, serverPid: process.pid });
    // The command is below this process, which stands for the server here.
    assert.ok(watched.serverCpuMs >= 200);
    assert.equal(watched.storeCpuMs, 0);
  });
});
