import { spawn } from 'node:child_process';
import { messageOf, TsbkError } from '../kernel/errors.ts';

const TIMEOUT_MS = 30_000;
const KEY_BYTES_MAX = 1024 * 1024;
const COMPLAINT_BYTES_MAX = 4096;

/** How a command ended: its exit code, or the signal that killed it. */
type Ending = readonly [code: number | null, signal: NodeJS.Signals | null];

/**
 * Runs the command of TSBK_KEY_COMMAND in a shell and gives back what it prints. It has no input and
 * is stopped, with all it started, when time is up or `signal` aborts. Throws `usage` with what the
 * command wrote to its standard error; what it wrote to its output never shows.
 */
export async function runKeyCommand(
  command: string,
  options: { readonly signal: AbortSignal; readonly timeoutMs?: number },
): Promise<string> {
  const { signal, timeoutMs = TIMEOUT_MS } = options;
  signal.throwIfAborted();
  const timeUp = AbortSignal.timeout(timeoutMs);
  const tooMuch = new AbortController();
  const stop = AbortSignal.any([signal, timeUp, tooMuch.signal]);
  // A group of its own, so that what the shell starts is stopped with it.
  const child = spawn('/bin/sh', ['-c', command], {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const kill = (): void => killGroup(child.pid);
  stop.addEventListener('abort', kill);
  try {
    let output = Buffer.alloc(0);
    let complaint = Buffer.alloc(0);
    child.stdout.on('data', (chunk: Buffer) => {
      if (output.length <= KEY_BYTES_MAX) output = Buffer.concat([output, chunk]);
      if (output.length > KEY_BYTES_MAX) tooMuch.abort();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      complaint = Buffer.concat([complaint, chunk]).subarray(-COMPLAINT_BYTES_MAX);
    });
    const [code, killedBy] = await ended(child);
    signal.throwIfAborted();
    if (code === 0 && output.length > 0 && !stop.aborted) return output.toString('utf8');
    throw failed(problemOf({ code, killedBy, stop, timeUp, timeoutMs }), complaint);
  } finally {
    stop.removeEventListener('abort', kill);
  }
}

function ended(child: ReturnType<typeof spawn>): Promise<Ending> {
  return new Promise((resolve, reject) => {
    child.once('close', (code, killedBy) => resolve([code, killedBy]));
    child.once('error', (error) => reject(failed(messageOf(error), Buffer.alloc(0))));
  });
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}

function problemOf(end: {
  readonly code: number | null;
  readonly killedBy: NodeJS.Signals | null;
  readonly stop: AbortSignal;
  readonly timeUp: AbortSignal;
  readonly timeoutMs: number;
}): string {
  if (end.timeUp.aborted) return `it did not end within ${end.timeoutMs / 1000} s`;
  if (end.stop.aborted) return `it printed more than ${KEY_BYTES_MAX} bytes`;
  if (end.killedBy !== null) return `it was killed by ${end.killedBy}`;
  return end.code === 0 ? 'it printed nothing' : `it ended with exit code ${end.code}`;
}

function failed(problem: string, complaint: Buffer): TsbkError {
  const said = complaint.toString('utf8').trim();
  const quoted = said === '' ? '' : `: ${said}`;
  return new TsbkError('usage', `TSBK_KEY_COMMAND gave no key, ${problem}${quoted}`, {
    hint: 'Run it by hand as the user that runs tsbk: it must print the key and end with exit code 0.',
  });
}
