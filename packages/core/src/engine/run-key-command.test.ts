import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isTsbkError } from '../kernel/errors.ts';
import { runKeyCommand } from './run-key-command.ts';

const { signal } = new AbortController();

function fails(command: string, problem: RegExp, timeoutMs = 20_000): Promise<void> {
  return assert.rejects(runKeyCommand(command, { signal, timeoutMs }), (error: Error) => {
    assert.ok(isTsbkError(error, 'usage'), String(error));
    assert.match(error.message, problem);
    assert.ok(!`${error.message}${error.hint}`.includes('half-a-key'), 'output must not show');
    return true;
  });
}

describe('runKeyCommand', () => {
  it('gives back what the command prints, as it is', async () => {
    assert.equal(await runKeyCommand("printf ' a key\\n'", { signal }), ' a key\n');
  });

  it('shows what a failed command complained about, and nothing of what it printed', async () => {
    await fails(
      'echo half-a-key; echo vault is sealed >&2; exit 3',
      /exit code 3: vault is sealed/,
    );
    await fails('echo half-a-key; kill -9 $$', /killed by SIGKILL/);
    await fails('true', /printed nothing/);
    await fails('no-such-program-4f1c', /exit code 127: .*not found/s);
  });

  it('bounds what the command prints, and what it complains', async () => {
    await fails('cat /dev/zero', /more than 1048576 bytes/);
    await fails('head -c 9000000 /dev/zero | tr "\\0" x >&2; exit 1', /exit code 1: x{4096}$/);
  });

  it('stops a command that takes too long, and what it started', async () => {
    const began = performance.now();
    // The child of the shell holds the pipe: were it left, this would wait for it.
    await fails('echo half-a-key; sleep 60 & sleep 60', /did not end within 0\.2 s/, 200);
    assert.ok(performance.now() - began < 30_000);
  });

  it('hears its signal, before and while it runs', async () => {
    const reason = new Error('stopped');
    const stop = new AbortController();
    const running = runKeyCommand('sleep 60', { signal: stop.signal });
    setTimeout(() => stop.abort(reason), 50);
    await assert.rejects(running, reason);
    await assert.rejects(runKeyCommand('echo key', { signal: stop.signal }), reason);
  });
});
